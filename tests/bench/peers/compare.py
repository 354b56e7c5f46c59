"""The same networks in denoised and in other engines, on one thread, in interleaved rounds.

    compare.py BUILD [--networks faces,avatars] [--batches 1,4] [--backends avx512,openblas]
               [--peers onnxruntime,ncnn] [--rounds 7] [--seconds 0.4]

A round times every engine once, one after the other, so that what else happens on the machine meets
them alike; the figures are CPU time of the engine's process. A ratio above 1 says that denoised is
faster: peer's time over ours, in the same round. `error` is the largest difference from PyTorch in
float64, over the largest number of that."""
import argparse
import logging
import os
import pathlib
import statistics
import subprocess
import sys
import tempfile
import time
import warnings

import numpy as np

import jobs
import machine
import networks
import targets

HERE = pathlib.Path(__file__).resolve().parent
AVX2 = {"ATEN_CPU_CAPABILITY": "avx2", "ONEDNN_MAX_CPU_ISA": "AVX2"}
# Of engines.py: the kind of job, and what is set in its environment.
PEERS = {"torch": ("torch", {}), "torch-compiled": ("torch", {}), "torch-frozen": ("torch", {}),
         "torch-avx2": ("torch", AVX2), "onnxruntime": ("onnx", {}), "openvino": ("onnx", {}), "openvino-default": ("onnx", {}),
         "ncnn": ("ncnn", {})}
USUAL_PEERS = "onnxruntime,openvino,openvino-default,ncnn,torch,torch-compiled"
USUAL_NETWORKS = "faces,fashion,avatars,ddpm-cifar10-32,mlp-128"
USUAL_BATCHES = {"ddpm-256": [1], "mlp-128": [1, 256]}


class Child:
    """An engine's process: answers a line with a line."""

    def __init__(self, command, changes):
        self.process = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE,
                                        stderr=subprocess.PIPE, text=True,
                                        env=os.environ | changes)
        self.details = self.read().removeprefix("ready").strip()

    def read(self):
        line = self.process.stdout.readline().strip()
        if not line:
            fault = self.process.communicate()[1].strip().splitlines()
            raise RuntimeError(fault[-1] if fault else f"ended with {self.process.returncode}")
        return line

    def ask(self, line):
        self.process.stdin.write(line + "\n")
        self.process.stdin.flush()
        return self.read()

    def time(self, seconds):
        return float(self.ask(f"time {seconds}"))

    def close(self):
        self.process.stdin.close()
        self.process.stdout.close()
        self.process.stderr.close()
        self.process.wait()


class Peer(Child):
    def __init__(self, name, network):
        kind, changes = PEERS[name]
        super().__init__([sys.executable, HERE / "engines.py", name, network.job(kind)], changes)

    def evaluate(self, scratch):
        self.ask(f"run {scratch}/out.npy")
        return np.load(f"{scratch}/out.npy")


class Ours(Child):
    def __init__(self, program, backend, network):
        self.samples = network.samples
        super().__init__([program, backend, networks.folder_of(network.name),
                          str(len(self.samples[0]))], {})
        self.name = self.details.split()[0]

    def evaluate(self, scratch):
        x, times, labels = self.samples
        np.c_[x.reshape(len(x), -1), times, labels].astype("<f4").tofile(f"{scratch}/in")
        self.ask(f"run {scratch}/in {scratch}/out")
        return np.fromfile(f"{scratch}/out", "<f4")

    def peaks(self):
        return {name: float(value) for name, value in
                (entry.split("=") for entry in self.ask("peak").split())}


# ---- comparison --------------------------------------------------------------------------------

def peers_for(name, batch, wanted):
    """ncnn takes no batches and is for maps."""
    return [peer for peer in wanted
            if peer != "ncnn" or (batch == 1 and not networks.is_mlp(name))]


def engines_of(network, batch, arguments):
    """Ours and theirs, by name; what does not start is said and left out."""
    engines = {}
    for backend in arguments.backends.split(","):
        ours = Ours(arguments.build / "forward", backend, network)
        engines[ours.name] = ours
    for peer in peers_for(network.name, batch, arguments.peers.split(",")):
        try:
            engines[peer] = Peer(peer, network)
        except (RuntimeError, subprocess.CalledProcessError) as fault:
            print(f"{network.name:16} batch {batch:3}  {peer} is left out: {fault}", flush=True)
    return engines


def rounds_of(engines, ours, arguments):
    """Milliseconds a sample of each engine, and the peaks beside them: a list of rounds each. Odd
    rounds go backwards."""
    measured, peaks = {name: [] for name in engines}, []
    for index in range(arguments.rounds):
        peaks.append(ours.peaks())
        order = list(engines) if index % 2 == 0 else list(reversed(engines))
        for name in order:
            measured[name].append(engines[name].time(arguments.seconds))
    return measured, peaks


def error_of(engine, reference, scratch):
    """Of the third evaluation, as two warm it up; of the first where that takes seconds."""
    start = time.monotonic()
    values = engine.evaluate(scratch).ravel()
    for _ in range(2 if time.monotonic() - start < 2 else 0):
        values = engine.evaluate(scratch).ravel()
    return np.abs(values - reference).max() / np.abs(reference).max()


class Result:
    """One network at one batch: measured, peaks as rounds_of; errors, details by engine."""

    def __init__(self, name, batch, arguments):
        self.name, self.batch = name, batch
        with tempfile.TemporaryDirectory() as scratch:
            network = jobs.Network(name, batch, scratch)
            reference = network.reference().ravel()
            engines = engines_of(network, batch, arguments)
            self.backends = [key for key, engine in engines.items() if isinstance(engine, Ours)]
            self.details = {key: engine.details for key, engine in engines.items()}
            self.errors = {key: error_of(engine, reference, scratch)
                           for key, engine in engines.items()}
            self.measured, self.peaks = rounds_of(engines, engines[self.backends[0]], arguments)
            for engine in engines.values():
                engine.close()

    def note(self, engine):
        if engine not in self.backends:
            return self.details[engine]
        if self.name not in targets.FLOOR:
            return ""
        shares = targets.shares_of_floor(self.name, self.measured[engine], self.peaks)
        return f"{statistics.median(shares):.0%} of the multiply floor"

    def rows(self):
        """Engine, ms, error, a ratio for each backend, a note."""
        unit, scale = ("us", 1e3) if networks.is_mlp(self.name) else ("ms", 1)
        for engine, times in self.measured.items():
            ratios = ["1" if engine == own else
                      targets.spread(targets.ratios(times, self.measured[own]))
                      for own in self.backends]
            yield [engine, f"{scale * statistics.median(times):.2f} {unit}",
                   f"{self.errors[engine]:.1e}", *ratios, self.note(engine)]

    def print(self):
        peak = ", ".join(f"{width} {statistics.median(at[width] for at in self.peaks):.1f}"
                         for width in self.peaks[0])
        print(f"{self.name} batch {self.batch}: multiply-adds of one thread, GFLOP/s: {peak}; "
              f"load {os.getloadavg()[0]:.1f}")
        for row in self.rows():
            print("    " + "  ".join(f"{cell:{18 if index != 1 else 10}}"
                                     for index, cell in enumerate(row)), flush=True)


def print_tables(results):
    """For RESULTS.md."""
    last = list(results.values())[-1]
    print("\ndenoised:", "; ".join(last.details[name] for name in last.backends))
    print("\n| network | batch | engine | a sample | error |",
          " | ".join(f"ratio to {name}" for name in last.backends), "| |")
    print("|" + "---|" * (6 + len(last.backends)))
    for result in results.values():
        for row in result.rows():
            print("|", " | ".join([result.name, str(result.batch), *row]), "|")
    print("\n" + "\n".join(targets.table(results)))


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("build", type=pathlib.Path)
    parser.add_argument("--networks", default=USUAL_NETWORKS,
                        help="also ddpm-256, which takes minutes")
    parser.add_argument("--batches", help="of images 1,4,16; of points 1,256; of ddpm-256 1")
    parser.add_argument("--backends", default="fastest", help="as avx512,avx2")
    parser.add_argument("--peers", default=USUAL_PEERS, help="also torch-frozen and torch-avx2")
    parser.add_argument("--rounds", type=int, default=7)
    parser.add_argument("--seconds", type=float, default=0.4, help="CPU time of a measurement")
    arguments = parser.parse_args()
    logging.disable(logging.WARNING)
    warnings.simplefilter("ignore")
    print("\n".join(machine.facts()))
    print(f"one thread, {arguments.rounds} interleaved rounds; ratio: the peer's time over ours, "
          "median (least .. most)\n", flush=True)
    results = {}
    for name in arguments.networks.split(","):
        batches = map(int, arguments.batches.split(",")) if arguments.batches else \
            USUAL_BATCHES.get(name, [1, 4, 16])
        for batch in batches:
            results[name, batch] = Result(name, batch, arguments)
            results[name, batch].print()
    print_tables(results)


if __name__ == "__main__":
    main()
