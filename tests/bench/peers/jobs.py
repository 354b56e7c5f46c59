"""A network as each kind of engine wants to be given it: a folder (engines.py says of what)."""
import pathlib
import subprocess
import sys
import warnings

import numpy as np
import torch

import networks


class Network:
    """One network at one batch: samples, reference, jobs. Each job is made when it is asked for."""

    def __init__(self, name, batch, scratch):
        self.name, self.scratch, self.made = name, pathlib.Path(scratch), {}
        self.module = networks.module_of(name)
        self.samples = networks.samples_of(name, self.module, batch)
        self.inputs = networks.inputs_of(name, self.samples)

    @torch.inference_mode()
    def reference(self):
        """In float64. Times are embedded in float32, here as everywhere."""
        first, *others = networks.tensors(self.inputs)
        answer = networks.module_of(self.name).double()(first.double(), *others)
        return answer.numpy().reshape(self.samples[0].shape)

    def job(self, kind):
        if kind not in self.made:
            folder = self.scratch / kind
            folder.mkdir()
            (folder / "name.txt").write_text(self.name)
            self.made[kind] = folder
            np.savez(folder / "inputs.npz", **getattr(self, "make_" + kind)(folder))
        return self.made[kind]

    def make_torch(self, _folder):
        return self.inputs

    def make_onnx(self, folder):
        """Of this batch alone: no dynamic axes."""
        torch.onnx.export(self.module, networks.tensors(self.inputs), folder / "network.onnx",
                          dynamo=False, input_names=list(self.inputs), output_names=["y"])
        return self.inputs

    def make_ncnn(self, folder):
        """pnnx leaves the conversion of the time to a float to ncnn, which has none: the network is
        given its time and class embedded, a saving of 0.05 %."""
        with torch.inference_mode(), warnings.catch_warnings():
            warnings.simplefilter("ignore")
            module, embedding = networks.given_embedding(self.name, self.inputs)
            inputs = torch.from_numpy(self.inputs["x"]), embedding
            torch.jit.trace(module, inputs, check_trace=False).save(folder / "network.pt")
        shapes = ",".join(str(list(value.shape)).replace(" ", "") for value in inputs)
        pnnx = pathlib.Path(sys.executable).parent / "pnnx"
        subprocess.run([pnnx, "network.pt", f"inputshape={shapes}", "fp16=0"], cwd=folder,
                       check=True, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        return {"x": self.inputs["x"], "embedding": embedding.numpy()}
