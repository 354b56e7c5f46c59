#!/usr/bin/env python3
"""Requests per second over HTTP, on loopback, with clients that keep their connection: printed,
never asserted.

    tests/bench/bench_http.py BINARY [--seconds S] [--backend NAME] [--threads N]

The clients are one thread of Python beside the daemon, so that with many of them a point request
measures the clients; the daemon's own CPU time per request says what it would bear without."""

import argparse
import os
import pathlib
import selectors
import sys
import time

ROOT = pathlib.Path(__file__).resolve().parents[2]
ROWS = [  # what is asked, its name, by how many clients at a time
    ("1 point, 1 step", {"model": "exact-mixture", "sampler": "ddim", "steps": 1, "seed": 1},
     (1, 4, 16, 64)),
    ("1000 points, 50 steps", {"model": "exact-mixture", "sampler": "ddim", "steps": 50, "n": 1000,
                               "seed": 1, "format": "npy"}, (1, 4)),
    ("1 of faces, 10 steps", {"model": "faces", "sampler": "ddim", "steps": 10, "class": "hat",
                              "guidance": 1, "seed": 1}, (1, 4, 16)),
    ("1 of faces, 10 steps, guided", {"model": "faces", "sampler": "ddim", "steps": 10,
                                      "class": "hat", "guidance": 1.5, "seed": 1}, (1, 4, 16)),
]


def read_arguments():
    parser = argparse.ArgumentParser(description=__doc__.split("\n", 1)[0])
    parser.add_argument("binary")
    parser.add_argument("--seconds", type=float, default=2, help="for each line (2)")
    parser.add_argument("--backend")
    parser.add_argument("--threads", type=int)
    return parser.parse_args()


ARGUMENTS = read_arguments()
os.environ["DENOISED_BINARY"] = str(pathlib.Path(ARGUMENTS.binary).resolve())
sys.path.insert(0, str(ROOT / "tests" / "system"))
from daemon import Daemon, post


class Client:
    """One connection with one request under way at a time."""

    def __init__(self, server, request):
        self.socket = server.connect()
        self.request = request
        self.latencies = []
        self.ask()

    def ask(self):
        self.began = time.perf_counter()
        self.received = b""
        self.missing = None
        self.socket.sendall(self.request)

    def read(self):
        """True once the answer is there."""
        self.received += self.socket.recv(1 << 18)
        if self.missing is None:
            end = self.received.find(b"\r\n\r\n")
            if end < 0:
                return False
            assert self.received.startswith(b"HTTP/1.1 200 "), self.received[:500]
            head = self.received[:end].lower()
            length = head.split(b"content-length:", 1)[1].split(b"\r\n", 1)[0]
            self.missing = end + 4 + int(length)
        if len(self.received) < self.missing:
            return False
        self.latencies.append(time.perf_counter() - self.began)
        return True


def cpu_seconds(process):
    fields = pathlib.Path("/proc/%d/stat" % process.pid).read_text().rsplit(")", 1)[1].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def percentile(ordered, part):
    return ordered[min(len(ordered) - 1, int(part * len(ordered)))]


def run(server, body, count, seconds):
    """Latencies of all answers, elapsed seconds, CPU seconds of the daemon."""
    selector = selectors.DefaultSelector()
    cpu, began = cpu_seconds(server.process), time.perf_counter()
    clients = [Client(server, post(body)) for _ in range(count)]
    for client in clients:
        selector.register(client.socket, selectors.EVENT_READ, client)
    while selector.get_map():
        for key, _ in selector.select():
            client = key.data
            if not client.read():
                continue
            if time.perf_counter() - began < seconds:
                client.ask()
            else:
                selector.unregister(client.socket)
                client.socket.close()
    elapsed = time.perf_counter() - began
    latencies = sorted(latency for client in clients for latency in client.latencies)
    return latencies, elapsed, cpu_seconds(server.process) - cpu


def main():
    options = []
    if ARGUMENTS.backend:
        options += ["--backend", ARGUMENTS.backend]
    if ARGUMENTS.threads:
        options += ["--threads", ARGUMENTS.threads]
    with Daemon(*options, models=ROOT / "weights") as server:
        for name, body, counts in ROWS:
            for count in counts:
                run(server, body, count, 0)  # warm
                latencies, elapsed, cpu = run(server, body, count, ARGUMENTS.seconds)
                print("%-30s %3d clients %9.1f requests/s   p50 %8.2f ms   p99 %8.2f ms"
                      "   daemon's CPU %9.3f ms a request"
                      % (name, count, len(latencies) / elapsed, 1e3 * percentile(latencies, .5),
                         1e3 * percentile(latencies, .99), 1e3 * cpu / len(latencies)), flush=True)


main()
