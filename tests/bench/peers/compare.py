"""The same networks in denoised, PyTorch and ONNX Runtime, on one thread, in interleaved rounds.

    compare.py BUILD [--models faces,avatars] [--batches 1,4,16] [--rounds 7] [--backend openblas]

A round times every engine once, one after the other, so that what else happens on the machine meets
them alike; the figures are CPU time of the engine's process. A ratio above 1 says that denoised is
faster: peer's time over ours, in the same round."""
import argparse
import json
import logging
import os
import pathlib
import shutil
import statistics
import subprocess
import tempfile
import time
import warnings

import diffusers
import numpy as np
import onnxruntime
import torch

SECONDS = 0.4  # CPU time of one measurement
BUILT_BY_RULE = "ddpm-cifar10-32"  # a shape without shipped weights: speed does not depend on them
ROOT = pathlib.Path(__file__).resolve().parents[3]
NETWORKS = ["faces", "fashion", "avatars", BUILT_BY_RULE]


# ---- engines: evaluate() once, time() in ms per image ------------------------------------------

class Ours:
    """tests/bench/peers/forward.c beside us."""

    def __init__(self, program, backend, folder, inputs):
        self.scratch = tempfile.TemporaryDirectory()
        self.inputs = inputs
        self.child = subprocess.Popen([program, backend, str(folder), str(len(inputs["x"]))],
                                      stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
        self.details = self.read().removeprefix("ready ")

    def read(self):
        line = self.child.stdout.readline().strip()
        if not line:
            raise RuntimeError(f"{self.child.args[0]} ended with {self.child.wait()}")
        return line

    def ask(self, line):
        self.child.stdin.write(line + "\n")
        self.child.stdin.flush()
        return self.read()

    def evaluate(self):
        x, label = self.inputs["x"], self.inputs.get("label")
        count = len(x)
        label = np.full(count, -1.0) if label is None else label
        rows = np.c_[x.reshape(count, -1), self.inputs["time"], label].astype("<f4")
        source, target = (pathlib.Path(self.scratch.name, name) for name in ("in", "out"))
        rows.tofile(source)
        self.ask(f"run {source} {target}")
        return np.fromfile(target, "<f4").reshape(x.shape)

    def time(self):
        return float(self.ask(f"time {SECONDS}"))

    def close(self):
        self.child.stdin.close()
        self.child.wait()
        self.scratch.cleanup()


class InProcess:
    """What runs in this process; evaluate() is the engine's own."""

    def __init__(self, count):
        self.count = count

    def time(self):
        start = time.process_time()
        times, spent = 0, 0.0
        while spent < SECONDS:
            self.evaluate()
            times += 1
            spent = time.process_time() - start
        return 1e3 * spent / (times * self.count)

    def close(self):
        pass


class Torch(InProcess):
    def __init__(self, network, inputs):
        super().__init__(len(inputs["x"]))
        self.network = network
        self.arguments = tensors(inputs)

    @torch.inference_mode()
    def evaluate(self):
        return self.network(*self.arguments).numpy()


class Onnx(InProcess):
    def __init__(self, network, inputs):
        super().__init__(len(inputs["x"]))
        with tempfile.TemporaryDirectory() as folder:
            path = os.path.join(folder, "network.onnx")
            torch.onnx.export(network, tensors(inputs), path, dynamo=False,
                              input_names=list(inputs), output_names=["y"])
            options = onnxruntime.SessionOptions()
            options.intra_op_num_threads = options.inter_op_num_threads = 1
            self.session = onnxruntime.InferenceSession(path, options, ["CPUExecutionProvider"])
        self.inputs = inputs

    def evaluate(self):
        return self.session.run(None, self.inputs)[0]


# ---- networks ----------------------------------------------------------------------------------

class Plain(torch.nn.Module):
    """Tensors in, a tensor out."""

    def __init__(self, unet):
        super().__init__()
        self.unet = unet

    def forward(self, x, timestep, label=None):
        return self.unet(x, timestep, class_labels=label).sample


def tensors(inputs):
    return tuple(torch.from_numpy(value) for value in inputs.values())


def folder_of(name):
    """The model's folder; that of BUILT_BY_RULE is made, with PyTorch's own initial weights."""
    if name != BUILT_BY_RULE:
        return ROOT / "weights" / name
    folder = ROOT / "build/peers-models" / name
    if not (folder / "unet/diffusion_pytorch_model.safetensors").exists():
        source = ROOT / "tests/golden/unet" / name
        config = json.loads((source / "unet/config.json").read_text())
        torch.manual_seed(0)
        diffusers.UNet2DModel.from_config(config).save_pretrained(folder / "unet")
        shutil.copytree(source / "scheduler", folder / "scheduler", dirs_exist_ok=True)
        shutil.copy(source / "model_index.json", folder)
    return folder


def inputs_of(unet, count):
    random = np.random.default_rng(0)
    config = unet.config
    size = config.sample_size
    inputs = {"x": random.standard_normal((count, config.in_channels, size, size)).astype("f4"),
              "time": random.integers(0, 1000, count)}
    if config.num_class_embeds:
        inputs["label"] = random.integers(0, config.num_class_embeds, count)
    return inputs


# ---- comparison --------------------------------------------------------------------------------

def difference(values, reference):
    return float(np.abs(values - reference).max() / np.abs(reference).max())


def rounds_of(engines, count):
    """Milliseconds per image of each engine, a list of rounds each. Odd rounds go backwards."""
    measured = {name: [] for name in engines}
    for index in range(count):
        order = list(engines) if index % 2 == 0 else list(reversed(engines))
        for name in order:
            measured[name].append(engines[name].time())
    return measured


def compare(name, batch, arguments):
    folder = folder_of(name)
    unet = diffusers.UNet2DModel.from_pretrained(folder / "unet", low_cpu_mem_usage=False).eval()
    inputs = inputs_of(unet, batch)
    network = Plain(unet)
    engines = {"denoised": Ours(arguments.build / "forward", arguments.backend, folder, inputs),
               "torch": Torch(network, inputs), "onnxruntime": Onnx(network, inputs)}
    reference = engines["torch"].evaluate()
    measured = rounds_of(engines, arguments.rounds)
    ours = measured["denoised"]
    for peer, times in measured.items():
        ratios = [theirs / own for theirs, own in zip(times, ours)]
        text = "" if peer == "denoised" else \
            f"  ratio {statistics.median(ratios):5.2f}  ({min(ratios):.2f} .. {max(ratios):.2f})"
        print(f"{name:16} batch {batch:2}  {peer:12} {statistics.median(times):9.3f} ms an image"
              f"  differs from torch by {difference(engines[peer].evaluate(), reference):.1e}{text}",
              flush=True)
    details = engines["denoised"].details
    for engine in engines.values():
        engine.close()
    return details


def processor():
    for line in pathlib.Path("/proc/cpuinfo").read_text().splitlines():
        if line.startswith("model name"):
            return line.split(":", 1)[1].strip()
    return "unknown"


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("build", type=pathlib.Path)
    parser.add_argument("--models", default=",".join(NETWORKS))
    parser.add_argument("--batches", default="1,4,16")
    parser.add_argument("--rounds", type=int, default=7)
    parser.add_argument("--backend", default="openblas")
    arguments = parser.parse_args()
    logging.disable(logging.WARNING)
    warnings.simplefilter("ignore")
    torch.set_num_threads(1)
    print(f"processor    {processor()}, load {os.getloadavg()[0]:.1f}\n"
          f"torch        {torch.__version__}, {torch.backends.cpu.get_cpu_capability()}\n"
          f"diffusers    {diffusers.__version__}\nonnxruntime  {onnxruntime.__version__}\n"
          f"one thread, {arguments.rounds} interleaved rounds, medians; ratio: peer's time over ours")
    details = None
    for name in arguments.models.split(","):
        for batch in arguments.batches.split(","):
            details = compare(name, int(batch), arguments)
    print(f"denoised     {details}")


if __name__ == "__main__":
    main()
