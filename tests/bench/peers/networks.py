"""The networks that are compared, as folders that denoised serves and as PyTorch modules.

    networks.py [NAME ...]      makes the folders of shapes without shipped weights, says where

Speed does not depend on weights: those of shapes that nobody ships are PyTorch's initial ones."""
import json
import logging
import math
import pathlib
import sys

import diffusers
import numpy as np
import torch
from safetensors.torch import load_file, save_file

ROOT = pathlib.Path(__file__).resolve().parents[3]
MADE = ROOT / "build/peers/models"

SCHEDULER = {"_class_name": "DDPMScheduler", "num_train_timesteps": 1000, "beta_schedule": "linear",
             "beta_start": 0.0001, "beta_end": 0.02, "clip_sample": True,
             "variance_type": "fixed_small"}
# google/ddpm-celebahq-256, ddpm-church-256, ddpm-bedroom-256: one shape
DDPM_256 = {"sample_size": 256, "block_out_channels": [128, 128, 256, 256, 512, 512],
            "down_block_types": ["DownBlock2D"] * 4 + ["AttnDownBlock2D", "DownBlock2D"],
            "up_block_types": ["UpBlock2D", "AttnUpBlock2D"] + ["UpBlock2D"] * 4}
MLP_TIME = 128  # floats of the embedded time: 2 + 128 go in


class Plain(torch.nn.Module):
    """A UNet2DModel with tensors in and a tensor out."""

    def __init__(self, unet):
        super().__init__()
        self.unet = unet

    def forward(self, x, time, label=None):
        return self.unet(x, time, class_labels=label).sample


class Mlp(torch.nn.Module):
    """A PointMLP behind its time embedding, which the peers are given ready made."""

    def __init__(self, widths):
        super().__init__()
        self.layers = torch.nn.ModuleList(
            torch.nn.Linear(a, b) for a, b in zip(widths, widths[1:]))

    def forward(self, x):
        for layer in self.layers[:-1]:
            x = torch.nn.functional.silu(layer(x))
        return self.layers[-1](x)


# ---- folders -----------------------------------------------------------------------------------

def write(path, value):
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps(value))


def make_unet(folder, changes):
    """The configuration of ddpm-cifar10-32 with these changes."""
    config = ROOT / "tests/golden/unet/ddpm-cifar10-32/unet/config.json"
    config = json.loads(config.read_text()) | changes
    diffusers.UNet2DModel.from_config(config).save_pretrained(folder / "unet")
    write(folder / "model_index.json", {"_class_name": "DDPMPipeline",
                                        "scheduler": ["diffusers", "DDPMScheduler"],
                                        "unet": ["diffusers", "UNet2DModel"]})


def make_mlp(folder, width):
    network = Mlp([2 + MLP_TIME, width, width, width, 2])
    write(folder / "model/config.json", {
        "_class_name": "PointMLP", "data_dim": 2, "hidden_dims": [width] * 3,
        "time_embedding": "sinusoidal", "time_embedding_dim": MLP_TIME, "act_fn": "silu"})
    save_file(network.state_dict(), folder / "model/diffusion_pytorch_model.safetensors")
    write(folder / "model_index.json", {"_class_name": "PointPipeline",
                                        "model": ["denoised", "PointMLP"],
                                        "scheduler": ["diffusers", "DDPMScheduler"]})


# How the folder is made.
MAKERS = {"ddpm-cifar10-32": lambda folder: make_unet(folder, {}),
          "ddpm-256": lambda folder: make_unet(folder, DDPM_256),
          "mlp-128": lambda folder: make_mlp(folder, 128)}
SHIPPED = ["faces", "fashion", "avatars"]
NAMES = SHIPPED + list(MAKERS)


def folder_of(name):
    if name in SHIPPED:
        return ROOT / "weights" / name
    folder = MADE / name
    scheduler = folder / "scheduler/scheduler_config.json"
    if not scheduler.exists():  # written last: with it the folder is whole
        torch.manual_seed(0)
        MAKERS[name](folder)
        write(scheduler, SCHEDULER)
    return folder


# ---- modules and what they are given -----------------------------------------------------------

def is_mlp(name):
    return name.startswith("mlp-")


def module_of(name):
    folder = folder_of(name)
    if is_mlp(name):
        state = load_file(folder / "model/diffusion_pytorch_model.safetensors")
        widths = [state["layers.0.weight"].shape[1]]
        widths += [state[f"layers.{i}.weight"].shape[0] for i in range(len(state) // 2)]
        network = Mlp(widths)
        network.load_state_dict(state)
        return network.eval()
    unet = diffusers.UNet2DModel.from_pretrained(folder / "unet", low_cpu_mem_usage=False)
    return Plain(unet).eval()


def embedded(time):
    """As PointMLP embeds it: cosines, then sines, float32 throughout."""
    half = MLP_TIME // 2
    exponents = np.float32(-math.log(10000)) * np.arange(half, dtype="f4") / np.float32(half)
    angles = np.float32(time) * np.exp(exponents, dtype="f4")
    return np.concatenate([np.cos(angles), np.sin(angles)])


def samples_of(name, module, count):
    """What denoised is given: x, a time and a label each, -1 for none. Points of one request have
    one time."""
    random = np.random.default_rng(0)
    if is_mlp(name):
        return random.standard_normal((count, 2)).astype("f4"), np.full(count, 500), \
            np.full(count, -1)
    config = module.unet.config
    size = config.sample_size
    x = random.standard_normal((count, config.in_channels, size, size)).astype("f4")
    times = random.integers(0, 1000, count)
    classes = config.num_class_embeds
    return x, times, random.integers(0, classes, count) if classes else np.full(count, -1)


def inputs_of(name, samples):
    """What the peers are given, by the names of the module's arguments."""
    x, times, labels = samples
    if is_mlp(name):
        return {"x": np.c_[x, np.tile(embedded(times[0]), (len(x), 1))].astype("f4")}
    inputs = {"x": x, "time": times}
    return inputs if labels[0] < 0 else inputs | {"label": labels}


def given_embedding(name, inputs):
    """A UNet that takes time and class as one vector, embedded; and that vector."""
    module = module_of(name)
    unet, values = module.unet, dict(zip(inputs, tensors(inputs)))
    embedding = unet.time_embedding(unet.time_proj(values["time"]))
    if "label" in values:
        embedding = embedding + unet.class_embedding(values["label"])
    unet.time_proj = unet.time_embedding = torch.nn.Identity()
    unet.class_embedding = None
    return module, embedding


def tensors(inputs):
    return tuple(torch.from_numpy(value) for value in inputs.values())


if __name__ == "__main__":
    logging.disable(logging.WARNING)
    for wanted in sys.argv[1:] or NAMES:
        print(folder_of(wanted))
