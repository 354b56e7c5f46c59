"""The contract exact-1: the digests in tests/golden/exact-1.json come out of every native backend, with
any number of threads, alone and in any company. `sha256` is as answers give it (of pictures: over 8-bit
pixels), `float32` is over the numbers themselves, all samples of a request together.

    DENOISED_WRITE_DIGESTS=1 tests/system/run.py build/release/denoised test_exact.py

writes the digests anew, by the portable backend: only when the contract gets a new name."""

import base64
import hashlib
import json
import os
import random
import unittest

import daemon
from daemon import ROOT, Daemon, all_clients

FILE = ROOT / "tests" / "golden" / "exact-1.json"
CASES = json.loads(FILE.read_text())["cases"]
THREADS = [2] if daemon.SANITIZED else [1, 2, 3, 4]


def digests_of(answer):
    """What a case says of its answer."""
    assert answer.status == 200, answer
    found = answer.json()
    assert found["numerics"]["contract"] == "exact-1", found["numerics"]
    samples = found.get("samples", [found])
    numbers = b"".join(base64.b64decode(sample.get("f32") or sample["points_f32"])
                       for sample in samples)
    return {"sha256": [sample["sha256"] for sample in samples],
            "float32": hashlib.sha256(numbers).hexdigest()}


def stored(case):
    return {key: case[key] for key in ("sha256", "float32")}


def body_of(case):
    return dict(case["request"], format="json", encoding="f32")


def write_digests():
    with Daemon("--backend", "portable", models=ROOT / "weights") as server:
        for case in CASES:
            case.update(digests_of(server.sample(body_of(case))))
    lines = ",\n".join("    " + json.dumps(case) for case in CASES)
    FILE.write_text('{\n  "cases": [\n%s\n  ]\n}\n' % lines)


def flags():
    with open("/proc/cpuinfo", encoding="ascii") as file:
        return next(set(line.split()) for line in file if line.startswith("flags"))


class Exact:
    """The tests of one backend."""

    backend = None
    needs = set()  # of the CPU

    def start(self, threads):
        return Daemon("--backend", self.backend, "--threads", threads, models=ROOT / "weights")

    def cases(self):
        steps = 4 if daemon.SANITIZED else 8 if self.backend == "portable" else 100
        return [case for case in CASES if case["request"].get("steps", 0) <= steps]

    def setUp(self):
        if not self.needs <= flags():
            self.skipTest("this CPU does not run " + self.backend)

    @unittest.skipIf(daemon.SANITIZED, "in company it is slower and tells more")
    def test_each_request_alone_gives_the_stored_digests(self):
        with self.start(1) as server:
            for case in self.cases():
                with self.subTest(case["name"]):
                    self.assertEqual(digests_of(server.sample(body_of(case))), stored(case))

    def test_any_company_and_threads_give_the_stored_digests(self):
        chance = random.Random(self.backend)
        for threads in THREADS:
            cases = chance.sample(self.cases(), len(self.cases())) + chance.choices(
                self.cases(), k=8)
            with self.start(threads) as server:
                answers = all_clients(server.address, [[body_of(case)] for case in cases])
            for case, [answer] in zip(cases, answers, strict=True):
                self.assertEqual(digests_of(answer), stored(case), (threads, case["name"]))


class Avx512(Exact, unittest.TestCase):
    backend = "avx512"
    needs = {"avx512f", "avx512bw", "avx512dq", "avx512vl"}


@unittest.skipIf(daemon.SANITIZED, "unit tests do the same quicker")
class Avx2(Exact, unittest.TestCase):
    backend = "avx2"
    needs = {"avx2", "fma"}


@unittest.skipIf(daemon.SANITIZED, "unit tests do the same quicker")
class Portable(Exact, unittest.TestCase):
    backend = "portable"


if __name__ == "__main__":
    if os.environ.get("DENOISED_WRITE_DIGESTS"):
        write_digests()
    else:
        unittest.main()
