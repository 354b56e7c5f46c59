"""`denoised selftest`, as a stranger runs it."""
import re
import resource
import shutil
import subprocess
import unittest

import daemon

CPU_SECONDS = 120


def selftest(*arguments):
    done = subprocess.run([daemon.BINARY, "selftest", *arguments], capture_output=True, check=False)
    return done.returncode, done.stdout.decode()


class Selftest(unittest.TestCase):
    @unittest.skipIf(daemon.SANITIZED, "minutes; the numbers do not depend on it")
    def test_every_row_passes_in_two_minutes_of_cpu(self):
        before = resource.getrusage(resource.RUSAGE_CHILDREN).ru_utime
        code, output = selftest("--models", str(daemon.ROOT / "weights"))
        used = resource.getrusage(resource.RUSAGE_CHILDREN).ru_utime - before
        rows = re.findall(r"^ok    \S+ +\S", output, re.M)
        self.assertEqual(output.splitlines()[-1], f"{len(rows)} passed, 0 failed",
                         "\n".join(re.findall(r"^FAIL.*", output, re.M)))
        self.assertGreater(len(rows), 150)
        self.assertEqual(code, 0)
        self.assertLess(used, CPU_SECONDS)

    def test_rows_without_their_models_fail(self):
        models = daemon.make_models()
        self.addCleanup(shutil.rmtree, models)
        code, output = selftest("--models", str(models))
        self.assertEqual(code, 1)
        self.assertIn("there is no model exact-mixture", output)
        self.assertRegex(output.splitlines()[-1], r"^\d+ passed, [1-9]\d* failed$")

    def test_what_it_does_not_know_is_refused(self):
        self.assertEqual(selftest("--fast")[0], 2)
        self.assertEqual(selftest("--models")[0], 2)
