"""Writes what a served model is made of: a folder in diffusers' layout.

denoised.json and the card beside it are written by hand."""
import json
import pathlib

import torch
from safetensors.torch import save_file

WEIGHTS = "diffusion_pytorch_model.safetensors"


def write_json(path, value):
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps(value, indent=2) + "\n", encoding="utf-8")


def write_network(folder, config, tensors):
    """config.json and the weights file of one component."""
    folder = pathlib.Path(folder)
    write_json(folder / "config.json", config)
    tensors = {name: tensor.detach().float().contiguous() for name, tensor in tensors.items()}
    save_file(tensors, str(folder / WEIGHTS), metadata={"format": "pt"})
    (folder / WEIGHTS).chmod(0o644)  # the daemon may run as another user


class Average:
    """The exponential average of a network's parameters: the one that is served.

    Its decay rises from 0 to `limit`, so that the first steps are soon forgotten."""

    def __init__(self, parameters, limit):
        self.source = list(parameters)
        self.limit = limit
        self.values = [parameter.detach().clone() for parameter in self.source]

    @torch.no_grad()
    def update(self, iteration):
        decay = min(self.limit, (iteration + 1) / (iteration + 10))
        for value, parameter in zip(self.values, self.source):
            value.lerp_(parameter, 1 - decay)

    @torch.no_grad()
    def store(self):
        """Puts the average where the parameters were."""
        for value, parameter in zip(self.values, self.source):
            parameter.copy_(value)


def cosine_rate(optimizer, rate, iteration, iterations):
    """200 iterations of warming up, then half a cosine down to almost nothing."""
    cosine = 0.5 * (1 + torch.cos(torch.tensor(torch.pi * iteration / iterations)).item())
    for group in optimizer.param_groups:
        group["lr"] = rate * min(1, (iteration + 1) / 200) * cosine + 1e-6


def drop_labels(labels, null_class, share=0.12):
    """Some samples lose their class, so that the network also learns to go without one
    (Ho and Salimans 2022, classifier-free guidance)."""
    return torch.where(torch.rand(len(labels)) < share, torch.tensor(null_class), labels)
