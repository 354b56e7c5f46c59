"""How fast a point network learns: `denoised train` beside PyTorch, on one thread, in interleaved
rounds.

    training.py PROGRAM [--rounds 7] [--iterations 500] [--hidden 128,128,128] [--batch 1024]
                [--peers torch,torch-compiled]

Both learn the two Gaussians of the demo: 262,144 points, a batch drawn from them each iteration,
noised to levels of a linear schedule of T = 1000; SiLU layers that predict the noise; Adam; a rate
that falls as a cosine; an exponential average of the weights. Figures are CPU time of the process.
Ours counts all of a run, its start and its files too; PyTorch's the iterations alone, after a
hundred that warm it up. A ratio above 1 says that denoised is faster."""
import argparse
import math
import os
import statistics
import subprocess
import sys
import tempfile
import time

TIMESTEPS, EMBEDDING, POINTS, AVERAGE = 1000, 32, 262144, 0.999
WARM = 100


# ---- PyTorch, in a process of its own ------------------------------------------------------------

def network_of(hidden):
    from torch import nn

    sizes = [2 + EMBEDDING, *hidden]
    layers = [layer for pair in zip(sizes, sizes[1:]) for layer in (nn.Linear(*pair), nn.SiLU())]
    return nn.Sequential(*layers, nn.Linear(sizes[-1], 2))


class Learner:
    """As fast as PyTorch has it without being asked for anything unusual: its fused Adam, and the
    average by its functions for lists of tensors."""

    def __init__(self, name, hidden, batch):
        import torch
        torch.set_num_threads(1)
        torch.set_flush_denormal(True)
        torch.manual_seed(0)
        self.torch, self.batch = torch, batch
        centre = torch.where(torch.rand(POINTS, 1) < 0.2, 3.0, -3.0)
        self.points = torch.randn(POINTS, 2) + centre
        level = torch.cumprod(1 - torch.linspace(1e-4, 0.02, TIMESTEPS, dtype=torch.double), 0)
        self.alpha, self.sigma = level.sqrt().float(), (1 - level).sqrt().float()
        angle = torch.arange(TIMESTEPS)[:, None] * torch.exp(
            -math.log(10000) * torch.arange(EMBEDDING // 2) / (EMBEDDING // 2))
        self.embedding = torch.cat([angle.cos(), angle.sin()], 1)
        self.network = network_of(hidden)
        self.parameters = list(self.network.parameters())
        self.average = [parameter.detach().clone() for parameter in self.parameters]
        self.optimizer = torch.optim.Adam(self.parameters, 0.005, fused=True)
        self.loss = torch.compile(self.plain_loss) if name == "torch-compiled" else self.plain_loss

    def plain_loss(self, points, noise, time_index):
        x = self.alpha[time_index, None] * points + self.sigma[time_index, None] * noise
        answer = self.network(self.torch.cat([x, self.embedding[time_index]], 1))
        return self.torch.nn.functional.mse_loss(answer, noise)

    def run(self, iterations):
        torch = self.torch
        last = 0.0
        for iteration in range(iterations):
            rate = 0.005 * 0.5 * (1 + math.cos(math.pi * iteration / iterations))
            self.optimizer.param_groups[0]["lr"] = rate
            points = self.points[torch.randint(POINTS, (self.batch,))]
            loss = self.loss(points, torch.randn(self.batch, 2), torch.randint(TIMESTEPS, (self.batch,)))
            self.optimizer.zero_grad()
            loss.backward()
            self.optimizer.step()
            with torch.no_grad():
                torch._foreach_lerp_(self.average, self.parameters, 1 - AVERAGE)
            last = loss.item()
        return last


def serve(name, hidden, batch):
    """Each line of standard input is a number of iterations; answers with their CPU time."""
    learner = Learner(name, hidden, batch)
    learner.run(WARM)
    print("ready", flush=True)
    for line in sys.stdin:
        start = time.process_time()
        loss = learner.run(int(line))
        print(time.process_time() - start, loss, flush=True)


class Peer:
    def __init__(self, name, arguments):
        self.process = subprocess.Popen(
            [sys.executable, __file__, "-", "--serve", name, "--hidden", arguments.hidden,
             "--batch", str(arguments.batch)],
            stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
        if self.process.stdout.readline().strip() != "ready":
            raise RuntimeError(f"{name} ended with {self.process.wait()}")
        self.iterations = arguments.iterations

    def seconds(self):
        self.process.stdin.write(f"{self.iterations}\n")
        self.process.stdin.flush()
        return float(self.process.stdout.readline().split()[0])

    def close(self):
        self.process.communicate()


# ---- denoised ------------------------------------------------------------------------------------

class Ours:
    def __init__(self, arguments):
        self.command = [arguments.program, "train", "--data", "two-gaussians", "--hidden",
                        arguments.hidden, "--batch", str(arguments.batch), "--iterations",
                        str(arguments.iterations), "--threads", "1"]

    def seconds(self):
        with tempfile.TemporaryDirectory() as directory:
            process = subprocess.Popen([*self.command, "--out", f"{directory}/model"],
                                       stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
            _, status, used = os.wait4(process.pid, 0)
            process.returncode = os.waitstatus_to_exitcode(status)
            if process.returncode != 0:
                raise RuntimeError(f"{self.command[0]} ended with {process.returncode}")
            return used.ru_utime + used.ru_stime

    def close(self):
        pass


# ---- comparison ----------------------------------------------------------------------------------

def compare(arguments):
    engines = {"denoised": Ours(arguments)}
    for name in arguments.peers.split(","):
        engines[name] = Peer(name, arguments)
    measured = {name: [] for name in engines}
    for index in range(arguments.rounds):
        for name in list(engines) if index % 2 == 0 else list(reversed(engines)):
            measured[name].append(engines[name].seconds())
    for engine in engines.values():
        engine.close()
    print(f"training, {arguments.hidden}, batch {arguments.batch}, {arguments.iterations} iterations, "
          f"{arguments.rounds} rounds; load {os.getloadavg()[0]:.1f}")
    for name, seconds in measured.items():
        ratios = sorted(theirs / ours for theirs, ours in zip(seconds, measured["denoised"]))
        each = 1e3 * statistics.median(seconds) / arguments.iterations
        print(f"    {name:16} {each:.3f} ms an iteration, {4 * each:.1f} s of CPU for 4000; ratio "
              f"{statistics.median(ratios):.2f} ({ratios[0]:.2f} .. {ratios[-1]:.2f})", flush=True)


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("program")
    parser.add_argument("--rounds", type=int, default=7)
    parser.add_argument("--iterations", type=int, default=500)
    parser.add_argument("--hidden", default="128,128,128")
    parser.add_argument("--batch", type=int, default=1024)
    parser.add_argument("--peers", default="torch,torch-compiled")
    parser.add_argument("--serve", help=argparse.SUPPRESS)
    arguments = parser.parse_args()
    if arguments.serve:
        serve(arguments.serve, map(int, arguments.hidden.split(",")), arguments.batch)
    else:
        compare(arguments)


if __name__ == "__main__":
    main()
