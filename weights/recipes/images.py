#!/usr/bin/env python3
"""Trains the picture models `faces`, `avatars` and `fashion`: diffusers' UNet2DModel, v-prediction
(Salimans and Ho 2022), cosine schedule (Nichol and Dhariwal 2021).

    images.py faces|avatars DATA OUT      DATA: the folder that draw.mjs wrote
    images.py fashion DATA OUT            DATA: Fashion-MNIST's idx files, gzipped

One to two hours on one CPU core at the default length. OUT.png shows eight samples a class."""
import argparse
import gzip
import pathlib

import diffusers
import numpy as np
import torch
from PIL import Image
from torch import nn

from folder import Average, cosine_rate, drop_labels, write_json, write_network

TIMESTEPS = 1000
BATCH = 64
RATE = 1e-3
PLAIN_DOWN, PLAIN_UP = "DownBlock2D", "UpBlock2D"
ATTENTION_DOWN, ATTENTION_UP = "AttnDownBlock2D", "AttnUpBlock2D"

RECIPES = {
    "faces": {
        "classes": ["plain", "glasses", "hat", "beard"],
        "size": 16, "channels": 3, "mirrored": True, "iterations": 4974,
        "widths": [32, 64, 128],
        "down": [PLAIN_DOWN, ATTENTION_DOWN, ATTENTION_DOWN],
        "up": [ATTENTION_UP, ATTENTION_UP, PLAIN_UP],
    },
    "avatars": {
        "classes": ["peep", "mini", "toon", "dylan", "smile", "thumb"],
        "size": 32, "channels": 3, "mirrored": True, "iterations": 3136,
        "widths": [32, 64, 128, 128],
        "down": [PLAIN_DOWN, PLAIN_DOWN, ATTENTION_DOWN, PLAIN_DOWN],
        "up": [PLAIN_UP, ATTENTION_UP, PLAIN_UP, PLAIN_UP],
    },
    # The shipped weights began as 2,281 iterations of the same network with an epsilon head.
    "fashion": {
        "classes": ["t-shirt", "trouser", "pullover", "dress", "coat", "sandal", "shirt", "sneaker",
                    "bag", "ankle-boot"],
        "size": 28, "channels": 1, "mirrored": False, "iterations": 6264,
        "widths": [32, 64, 96],
        "down": [PLAIN_DOWN, PLAIN_DOWN, ATTENTION_DOWN],
        "up": [ATTENTION_UP, PLAIN_UP, PLAIN_UP],
    },
}


# ---- data ------------------------------------------------------------------------------------

def read_drawn(folder, recipe):
    """One file of H x W x 3 bytes a picture for each class."""
    size = recipe["size"]
    groups = [np.fromfile(folder / f"{name}.bin", np.uint8).reshape(-1, size, size, 3)
              for name in recipe["classes"]]
    labels = np.concatenate([np.full(len(group), index) for index, group in enumerate(groups)])
    return np.concatenate(groups).transpose(0, 3, 1, 2), labels


def read_idx(path, header):
    with gzip.open(path) as file:
        return np.frombuffer(file.read()[header:], np.uint8)


def read_data(name, folder, recipe):
    if name == "fashion":
        pictures = read_idx(folder / "train-images-idx3-ubyte.gz", 16).reshape(-1, 1, 28, 28)
        labels = read_idx(folder / "train-labels-idx1-ubyte.gz", 8)
    else:
        pictures, labels = read_drawn(folder, recipe)
    return torch.from_numpy(pictures.copy()), torch.from_numpy(labels.astype(np.int64))


def batch_of(pictures, labels, recipe):
    chosen = torch.randint(0, len(pictures), (BATCH,))
    x0 = pictures[chosen].float() / 127.5 - 1
    if recipe["mirrored"]:
        mirror = torch.rand(BATCH) < 0.5
        x0 = torch.where(mirror[:, None, None, None], x0.flip(3), x0)
    return x0, drop_labels(labels[chosen], len(recipe["classes"]))


# ---- training --------------------------------------------------------------------------------

def make_network(recipe):
    return diffusers.UNet2DModel(
        sample_size=recipe["size"], in_channels=recipe["channels"], out_channels=recipe["channels"],
        block_out_channels=recipe["widths"], layers_per_block=2, down_block_types=recipe["down"],
        up_block_types=recipe["up"], attention_head_dim=32, norm_num_groups=16,
        num_class_embeds=len(recipe["classes"]) + 1)


def cosine_levels():
    """alpha_bar of diffusers' squaredcos_cap_v2."""
    time = torch.arange(TIMESTEPS + 1, dtype=torch.double) / TIMESTEPS
    curve = torch.cos((time + 0.008) / 1.008 * torch.pi / 2) ** 2
    beta = (1 - curve[1:] / curve[:-1]).clamp(max=0.999)
    return torch.cumprod(1 - beta, 0).float()


def train(network, pictures, labels, recipe):
    average = Average(network.parameters(), 0.9995)
    optimizer = torch.optim.AdamW(network.parameters(), RATE, weight_decay=1e-4)
    levels = cosine_levels()
    running = None
    for iteration in range(recipe["iterations"]):
        cosine_rate(optimizer, RATE, iteration, recipe["iterations"])
        x0, label = batch_of(pictures, labels, recipe)
        time = torch.randint(0, TIMESTEPS, (BATCH,))
        level = levels[time][:, None, None, None]
        noise = torch.randn_like(x0)
        x_t = level.sqrt() * x0 + (1 - level).sqrt() * noise
        target = level.sqrt() * noise - (1 - level).sqrt() * x0
        with torch.autocast("cpu", dtype=torch.bfloat16):
            answer = network(x_t, time, class_labels=label).sample
        loss = nn.functional.mse_loss(answer.float(), target)
        optimizer.zero_grad()
        loss.backward()
        nn.utils.clip_grad_norm_(network.parameters(), 1.0)
        optimizer.step()
        average.update(iteration)
        running = loss.item() if running is None else 0.99 * running + 0.01 * loss.item()
        if iteration % 100 == 0:
            print(f"{iteration} of {recipe['iterations']}, loss {running:.4f}", flush=True)
    average.store()


# ---- result ----------------------------------------------------------------------------------

def write(out, network):
    config = {key: value for key, value in network.config.items() if not key.startswith("_")}
    config = {"_class_name": "UNet2DModel", "_diffusers_version": diffusers.__version__, **config}
    write_network(out / "unet", config, network.state_dict())
    write_json(out / "scheduler/scheduler_config.json", {
        "_class_name": "DDPMScheduler", "num_train_timesteps": TIMESTEPS,
        "beta_schedule": "squaredcos_cap_v2", "beta_start": 1e-4, "beta_end": 0.02,
        "clip_sample": True, "clip_sample_range": 1.0, "prediction_type": "v_prediction",
        "variance_type": "fixed_small", "timestep_spacing": "leading", "steps_offset": 0,
        "trained_betas": None})
    write_json(out / "model_index.json", {
        "_class_name": "DDPMPipeline", "scheduler": ["diffusers", "DDPMScheduler"],
        "unet": ["diffusers", "UNet2DModel"]})


@torch.no_grad()
def sample(network, recipe, per_class, steps=50, guidance=1.5):
    """DDIM without noise (Song et al. 2021, equation 12), with classifier-free guidance."""
    levels = cosine_levels()
    null = len(recipe["classes"])
    label = torch.arange(null).repeat_interleave(per_class)
    x = torch.randn(len(label), recipe["channels"], recipe["size"], recipe["size"],
                    generator=torch.Generator().manual_seed(1))
    times = [round(TIMESTEPS - 1 - step * TIMESTEPS / steps) for step in range(steps)]
    for step, t in enumerate(times):
        here = levels[t]
        there = levels[times[step + 1]] if step + 1 < steps else torch.tensor(1.0)
        time = torch.full((len(label),), t)
        with_class = network(x, time, class_labels=label).sample
        without = network(x, time, class_labels=torch.full_like(label, null)).sample
        v = without + guidance * (with_class - without)
        x0 = (here.sqrt() * x - (1 - here).sqrt() * v).clamp(-1, 1)
        noise = (x - here.sqrt() * x0) / (1 - here).sqrt()
        x = there.sqrt() * x0 + (1 - there).sqrt() * noise
    return x


def sheet(samples, columns):
    """Pictures in rows, as bytes."""
    pixels = ((samples.clamp(-1, 1) + 1) * 127.5).round().byte().permute(0, 2, 3, 1).numpy()
    rows = [np.concatenate(list(pixels[start:start + columns]), 1)
            for start in range(0, len(pixels), columns)]
    return Image.fromarray(np.concatenate(rows, 0).squeeze())


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("name", choices=RECIPES)
    parser.add_argument("data", type=pathlib.Path)
    parser.add_argument("out", type=pathlib.Path)
    parser.add_argument("--iterations", type=int)
    arguments = parser.parse_args()
    recipe = dict(RECIPES[arguments.name])
    recipe["iterations"] = arguments.iterations or recipe["iterations"]
    torch.manual_seed(0)
    network = make_network(recipe)
    train(network, *read_data(arguments.name, arguments.data, recipe), recipe)
    write(arguments.out, network)
    sheet(sample(network.eval(), recipe, 8), 8).save(arguments.out.with_suffix(".png"))


if __name__ == "__main__":
    main()
