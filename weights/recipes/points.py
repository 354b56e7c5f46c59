#!/usr/bin/env python3
"""Trains the point models `mixture` and `shapes`: a PointMLP that predicts the noise (Ho et al.
2020, DDPM), on points drawn from formulas.

    points.py mixture|shapes OUT [--iterations N]

Minutes on one CPU core. At the end, samples are drawn by DDPM and their figures printed."""
import argparse
import math
import pathlib

import numpy as np
import torch
from torch import nn

from folder import Average, cosine_rate, drop_labels, write_json, write_network

TIMESTEPS = 1000
BETA_START, BETA_END = 1e-4, 0.02
EMBEDDING = 32
SHAPES = ["heart", "spiral", "moons", "ring", "cross", "smiley", "star", "checkerboard"]
REPORTED = 8000  # samples that the figures at the end are of
JITTER = 0.03  # outlines have no area: without it the density would be infinite on them

RECIPES = {
    "mixture": {"hidden": [128] * 3, "classes": None, "iterations": 8000, "batch": 1024, "rate": 4e-3},
    "shapes": {"hidden": [256] * 4, "classes": len(SHAPES) + 1, "iterations": 20000, "batch": 2048, "rate": 2e-3},
}


# ---- data ------------------------------------------------------------------------------------

def heart(t, _u, _v, _random):
    x = 16 * np.sin(t) ** 3
    y = 13 * np.cos(t) - 5 * np.cos(2 * t) - 2 * np.cos(3 * t) - np.cos(4 * t)
    return np.c_[x, y + 2.5] / 9


def spiral(_t, u, _v, _random):
    angle = 6 * np.pi * np.sqrt(u)
    return np.c_[angle * np.cos(angle), angle * np.sin(angle)] / (6 * np.pi) * 1.9


def moons(_t, u, v, _random):
    angle = np.pi * v
    upper = u < 0.5
    x = np.where(upper, np.cos(angle), 1 - np.cos(angle)) - 0.5
    y = np.where(upper, np.sin(angle), 0.5 - np.sin(angle)) - 0.25
    return np.c_[x, y] * 1.25


def ring(t, _u, _v, _random):
    return np.c_[np.cos(t), np.sin(t)] * 1.7


def cross(_t, u, v, random):
    along = (2 * v - 1) * 1.8
    across = (2 * random.random(len(u)) - 1) * 0.3
    return np.where((u < 0.5)[:, None], np.c_[along, across], np.c_[across, along])


def smiley(t, u, _v, random):
    part = random.random(len(t))
    face, mouth = part < 0.55, (part >= 0.55) & (part < 0.85)
    angle = np.where(mouth, np.pi * (1.15 + 0.7 * u), t)
    radius = np.select([face, mouth], [1.75, 1.05], 0.18)
    eye = ~(face | mouth)
    x = np.where(eye, np.where(u < 0.5, -0.6, 0.6), 0)
    return np.c_[x + radius * np.cos(angle), np.where(eye, 0.55, 0) + radius * np.sin(angle)]


def star(_t, u, _v, _random):
    edge = (10 * u).astype(int)

    def corner(index):
        angle = np.pi / 2 + index * np.pi / 5
        return np.where(index % 2 == 0, 1.9, 0.8)[:, None] * np.c_[np.cos(angle), np.sin(angle)]

    return corner(edge) + (corner(edge + 1) - corner(edge)) * (10 * u - edge)[:, None]


def checkerboard(_t, u, v, random):
    field = random.integers(0, 8, len(u))
    row = field // 2
    column = 2 * (field % 2) + row % 2
    return np.c_[column + u - 2, row + v - 2] * 0.95


def draw_shapes(count, random):
    """Points and labels; every shape lies within [-2, 2] squared."""
    labels = random.integers(0, len(SHAPES), count)
    points = np.zeros((count, 2))
    for index, name in enumerate(SHAPES):
        mine = labels == index
        size = int(mine.sum())
        uniform = random.random((3, size))
        points[mine] = globals()[name](2 * np.pi * uniform[0], uniform[1], uniform[2], random)
    points += JITTER * random.normal(size=points.shape)
    return torch.from_numpy(points.astype(np.float32)), torch.from_numpy(labels)


def draw_mixture(count, _random):
    """0.2 N((3,3), I) + 0.8 N((-3,-3), I)"""
    centre = torch.where(torch.rand(count) < 0.2, 3.0, -3.0)[:, None]
    return torch.randn(count, 2) + centre, None


# ---- network ---------------------------------------------------------------------------------

class PointMLP(nn.Module):
    def __init__(self, hidden, classes):
        super().__init__()
        sizes = [2 + EMBEDDING * (2 if classes else 1), *hidden, 2]
        self.layers = nn.ModuleList(nn.Linear(a, b) for a, b in zip(sizes, sizes[1:]))
        self.class_embedding = nn.Embedding(classes, EMBEDDING) if classes else None
        half = EMBEDDING // 2
        self.frequencies = torch.exp(-math.log(10000) * torch.arange(half) / half)

    def forward(self, x, time, label=None):
        angle = time[:, None] * self.frequencies
        parts = [x, torch.cos(angle), torch.sin(angle)]
        if self.class_embedding is not None:
            parts.append(self.class_embedding(label))
        z = torch.cat(parts, 1)
        for layer in self.layers[:-1]:
            z = nn.functional.silu(layer(z))
        return self.layers[-1](z)


def train(name, recipe):
    draw = draw_mixture if name == "mixture" else draw_shapes
    random = np.random.default_rng(0)
    network = PointMLP(recipe["hidden"], recipe["classes"])
    average = Average(network.parameters(), 0.999)
    optimizer = torch.optim.Adam(network.parameters(), recipe["rate"])
    alpha_bar = torch.cumprod(1 - torch.linspace(BETA_START, BETA_END, TIMESTEPS, dtype=torch.double), 0).float()
    running = None
    for iteration in range(recipe["iterations"]):
        cosine_rate(optimizer, recipe["rate"], iteration, recipe["iterations"])
        x0, label = draw(recipe["batch"], random)
        if label is not None:
            label = drop_labels(label, len(SHAPES))
        noise = torch.randn_like(x0)
        time = torch.randint(0, TIMESTEPS, (len(x0),))
        level = alpha_bar[time][:, None]
        answer = network(level.sqrt() * x0 + (1 - level).sqrt() * noise, time.float(), label)
        loss = nn.functional.mse_loss(answer, noise)
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        average.update(iteration)
        running = loss.item() if running is None else 0.99 * running + 0.01 * loss.item()
        if iteration % 1000 == 0:
            print(f"{name} {iteration} loss {running:.4f}", flush=True)
    average.store()
    return network, alpha_bar


# ---- result ----------------------------------------------------------------------------------

def write(out, recipe, network):
    write_network(out / "model", {
        "_class_name": "PointMLP", "data_dim": 2, "hidden_dims": recipe["hidden"],
        "time_embedding": "sinusoidal", "time_embedding_dim": EMBEDDING, "act_fn": "silu",
        "num_class_embeds": recipe["classes"]}, network.state_dict())
    write_json(out / "scheduler/scheduler_config.json", {
        "_class_name": "DDPMScheduler", "num_train_timesteps": TIMESTEPS, "beta_schedule": "linear",
        "beta_start": BETA_START, "beta_end": BETA_END, "clip_sample": False,
        "prediction_type": "epsilon", "variance_type": "fixed_small"})
    write_json(out / "model_index.json", {
        "_class_name": "PointPipeline", "model": ["denoised", "PointMLP"],
        "scheduler": ["diffusers", "DDPMScheduler"]})


@torch.no_grad()
def sample(network, alpha_bar, count, label):
    """DDPM with all its steps (Ho et al. 2020, algorithm 2, posterior variance)."""
    x = torch.randn(count, 2, generator=torch.Generator().manual_seed(7))
    for t in reversed(range(TIMESTEPS)):
        here = alpha_bar[t]
        there = alpha_bar[t - 1] if t else torch.tensor(1.0)
        beta = 1 - here / there
        noise = network(x, torch.full((count,), float(t)), label)
        x = (x - beta / (1 - here).sqrt() * noise) / (1 - beta).sqrt()
        if t:
            x += (beta * (1 - there) / (1 - here)).sqrt() * torch.randn(count, 2)
    return x


def report(name, points, labels):
    groups = {"plus": points.sum(1) > 0, "minus": points.sum(1) <= 0} if name == "mixture" else \
        {shape: labels == index for index, shape in enumerate(SHAPES)}
    for group, mine in groups.items():
        centre, spread = points[mine].mean(0).tolist(), points[mine].std(0).tolist()
        print(f"{group:14} share {mine.float().mean():.4f}  centre {centre[0]:+.3f} {centre[1]:+.3f}"
              f"  sd {spread[0]:.3f} {spread[1]:.3f}")


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("name", choices=RECIPES)
    parser.add_argument("out", type=pathlib.Path)
    parser.add_argument("--iterations", type=int)
    arguments = parser.parse_args()
    recipe = dict(RECIPES[arguments.name])
    recipe["iterations"] = arguments.iterations or recipe["iterations"]
    torch.manual_seed(0)
    network, alpha_bar = train(arguments.name, recipe)
    write(arguments.out, recipe, network)
    labels = torch.arange(REPORTED) % len(SHAPES) if recipe["classes"] else None
    report(arguments.name, sample(network, alpha_bar, REPORTED, labels), labels)


if __name__ == "__main__":
    main()
