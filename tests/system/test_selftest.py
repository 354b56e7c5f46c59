"""`denoised selftest`, as a stranger runs it: by an engine of its own, and against a daemon."""
import pathlib
import re
import resource
import shutil
import socket
import subprocess
import tempfile
import unittest

import daemon
from daemon import Daemon

CPU_SECONDS = 120
WEIGHTS = daemon.ROOT / "weights"
# What no request asks, so that only the own engine says it.
LOCAL_SECTIONS = ("Noise that no shipped model has", "Exact answers", "Networks that learn here")
LOCAL_ROWS = ("ddpm on learned", "energy distance of two sets", "256 bins of a byte", "the bin of x",
              "KL of N(1, 4)", "mean over 1,000,000 samples", "c0 of exact-mixture",
              "ct of exact-mixture", "beta-tilde of exact-mixture",
              "variance with a root", "values that the seed moves", "ou_finite")


def selftest(*arguments):
    done = subprocess.run([daemon.BINARY, "selftest", *arguments], capture_output=True, check=False)
    return done.returncode, done.stdout.decode()


def rows(output):
    return re.findall(r"^(?:ok|FAIL)  +\S+ .*", output, re.M)


def models_with_those_of_the_selftest():
    """A directory that a daemon can serve; the caller removes it."""
    directory = pathlib.Path(tempfile.mkdtemp(prefix="denoised-models-"))
    shipped = [*WEIGHTS.glob("exact-*"), *(WEIGHTS / "selftest").glob("*/"),
               WEIGHTS / "two-gaussians-demo", WEIGHTS / "mixture"]
    for folder in shipped:
        if folder.is_dir():
            shutil.copytree(folder, directory / folder.name)
    return directory


@unittest.skipIf(daemon.SANITIZED, "minutes; the numbers do not depend on it")
class Rows(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        before = resource.getrusage(resource.RUSAGE_CHILDREN).ru_utime
        cls.code, cls.output = selftest("--models", str(WEIGHTS))
        cls.cpu_seconds = resource.getrusage(resource.RUSAGE_CHILDREN).ru_utime - before

    def check_passes(self, code, output):
        found = rows(output)
        self.assertEqual(output.splitlines()[-1], f"{len(found)} passed, 0 failed",
                         "\n".join(re.findall(r"^FAIL.*", output, re.M)))
        self.assertEqual(code, 0)
        return found

    def test_every_row_passes_in_two_minutes_of_cpu(self):
        self.assertGreater(len(self.check_passes(self.code, self.output)), 400)
        self.assertLess(self.cpu_seconds, CPU_SECONDS)

    def test_a_daemon_answers_the_same_numbers_over_http(self):
        models = models_with_those_of_the_selftest()
        self.addCleanup(shutil.rmtree, models)
        with Daemon(models=models) as server:
            code, output = selftest("--url", server.url)
        self.assertNotIn("skip  ", output)
        asked = self.check_passes(code, output)
        self.assertEqual(set(asked) - set(rows(self.output)), set())
        sections = re.split(r"\n\n      ", self.output)
        local = [row for section in sections if section.startswith(LOCAL_SECTIONS)
                 for row in rows(section)]
        local += [row for row in rows(self.output) if any(name in row for name in LOCAL_ROWS)]
        self.assertEqual(sorted(asked), sorted(set(rows(self.output)) - set(local)))


class Command(unittest.TestCase):
    @unittest.skipIf(daemon.SANITIZED, "rows that need no model train networks")
    def test_rows_without_their_models_fail(self):
        models = daemon.make_models()
        self.addCleanup(shutil.rmtree, models)
        code, output = selftest("--models", str(models))
        self.assertEqual(code, 1)
        self.assertIn("there is no model exact-mixture", output)
        self.assertRegex(output.splitlines()[-1], r"^\d+ passed, [1-9]\d* failed$")

    def test_a_daemon_that_serves_none_of_the_models_does_not_pass(self):
        models = daemon.make_models()
        self.addCleanup(shutil.rmtree, models)
        with Daemon(models=models) as server:
            code, output = selftest("--url", server.url)
        self.assertEqual(code, 1)
        self.assertRegex(output, r"(?m)^skip  B1 .*there is no model 'exact-mixture'")
        self.assertRegex(output, r"(?m)^\d+ skipped: the daemon does not serve their models$")
        self.assertEqual(output.splitlines()[-1], "0 passed, 0 failed")

    def test_a_daemon_that_is_not_there_is_said_once(self):
        done = subprocess.run([daemon.BINARY, "selftest", "--url", "http://127.0.0.1:1"],
                              capture_output=True, text=True, check=False)
        self.assertEqual((done.returncode, done.stdout), (2, ""))
        self.assertEqual(done.stderr, "denoised: 127.0.0.1 port 1: Connection refused\n")

    def test_what_answers_otherwise_than_a_daemon_is_refused(self):
        for answer in ("", "220 smtp\r\n\r\n", "X" * 70_000,
                       "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\n[]",
                       "HTTP/1.1 200 OK\r\nContent-Length: 13\r\n\r\n{\"version\":1}"):
            with self.subTest(answer[:50]), socket.create_server(("127.0.0.1", 0)) as listener:
                url = "http://127.0.0.1:%d" % listener.getsockname()[1]
                with subprocess.Popen([daemon.BINARY, "selftest", "--url", url],
                                      stdout=subprocess.PIPE, stderr=subprocess.PIPE) as program:
                    connection = listener.accept()[0]
                    connection.recv(4096)
                    connection.sendall(answer.encode())
                    connection.close()
                    output, error = program.communicate(timeout=daemon.PATIENCE)
                self.assertEqual((program.returncode, output), (2, b""))
                self.assertIn(b"denoised: 127.0.0.1 port ", error)

    def test_what_it_does_not_know_is_refused(self):
        for arguments in (["--fast"], ["--models"], ["--url"], ["--url", "localhost:8080"],
                          ["--url", "http://localhost:1", "--models", "weights"]):
            with self.subTest(arguments):
                self.assertEqual(selftest(*arguments)[0], 2)


if __name__ == "__main__":
    unittest.main()
