"""How much memory and time the daemon takes: with one picture model, over many requests, at start.

DENOISED_REQUESTS is the number of requests over which memory must not grow (10000)."""

import os
import shutil
import unittest

import daemon
from daemon import Daemon, all_clients

REQUESTS = int(os.environ.get("DENOISED_REQUESTS", "10000"))
ROUNDS = 5
SLOW = max(1.0, daemon.PATIENCE / 30)
MIB = 1 << 20
FACES = daemon.ROOT / "weights" / "faces"

# What a client asks for in turn: answers of every format, refusals too.
ASKED = [
    {"model": "mix", "steps": 1},
    {"model": "mix", "steps": 1, "n": 30, "format": "npy"},
    {"model": "mix", "steps": 2, "n": 5, "sampler": "ddim", "tag": "a tag"},
    {"model": "mix", "steps": 0, "sede": 1},
    {"model": "nobody"},
    {"model": "faces", "steps": 1, "class": "hat", "guidance": 1},
    {"model": "mix", "steps": 1, "encoding": "f32", "format": "json"},
    {"model": "mix", "steps": 1, "eta": 0.5, "sampler": "ddim"},
    {"model": "mix", "steps": 3, "sampler": "ddpm", "variance_type": "fixed_large"},
    {"model": "mix", "steps": 1, "format": "gif"},
]
CLIENTS = 20


def resident_bytes(server):
    with open("/proc/%d/status" % server.process.pid) as status:
        return next(1024 * int(line.split()[1]) for line in status if line.startswith("VmRSS:"))


def cpu_seconds(server):
    with open("/proc/%d/stat" % server.process.pid) as stat:
        fields = stat.read().rsplit(")", 1)[1].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def ask(server, count):
    """So many requests, of clients that each come anew and stay for a round of them."""
    for _ in range(0, count, CLIENTS * len(ASKED)):
        bodies = [ASKED[i % len(ASKED):] + ASKED[:i % len(ASKED)] for i in range(CLIENTS)]
        for answers in all_clients(server.address, bodies):
            found = sorted(answer.status for answer in answers)
            assert found == [200] * 7 + [404, 422, 422], found
        # A scatter, not so often: it takes longer than all of these.
        assert server.sample({"model": "mix", "steps": 1, "format": "png"}).status == 200


@unittest.skipIf(daemon.SANITIZED, "a sanitizer's own memory and time are in the figures")
class Resources(unittest.TestCase):
    def test_resident_memory_with_one_picture_model(self):
        weights = FACES / "unet" / "diffusion_pytorch_model.safetensors"
        limit = 1.5 * weights.stat().st_size + 64 * MIB
        with Daemon("--backend", "openblas", "--threads", 2, "--model", FACES) as server:
            at_start = resident_bytes(server)
            for body in ({"n": 8, "steps": 3, "guidance": 1}, {"n": 8, "steps": 2, "class": "hat"}):
                self.assertEqual(server.sample(body).status, 200)
            busy = resident_bytes(server)
        print("resident: %.1f MiB at start, %.1f MiB after batches of 8; limit %.1f MiB ... "
              % (at_start / MIB, busy / MIB, limit / MIB), end="", flush=True)
        self.assertLess(busy, limit)

    def test_memory_does_not_grow_with_requests(self):
        models = daemon.make_models("faces")
        self.addCleanup(shutil.rmtree, models)
        with Daemon("--threads", 2, models=models) as server:
            ask(server, 1000)
            resident = [resident_bytes(server)]
            for _ in range(ROUNDS):
                ask(server, REQUESTS // ROUNDS)
                resident.append(resident_bytes(server))
        print("resident: %.2f MiB, after %d requests %.2f MiB ... "
              % (resident[0] / MIB, REQUESTS, resident[-1] / MIB), end="", flush=True)
        # What leaks grows in every round; what a thread takes once, for its first large answer, does not.
        growth = min(after / before - 1 for before, after in zip(resident, resident[1:]))
        self.assertLess(ROUNDS * growth, 0.01)
        self.assertLess(resident[-1], 1.1 * resident[0])

    def test_shipped_models_are_ready_within_a_second_of_work(self):
        with Daemon(models=daemon.ROOT / "weights") as server:
            seconds = cpu_seconds(server)
            self.assertEqual(len(server.get("/models").json()["models"]), sum(
                (each / "denoised.json").exists() for each in (daemon.ROOT / "weights").iterdir()))
        print("%.2f s of CPU until ready ... " % seconds, end="", flush=True)
        self.assertLess(seconds, 1 * SLOW)


if __name__ == "__main__":
    unittest.main()
