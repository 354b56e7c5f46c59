"""engines.py ENGINE JOB - one peer in a process of its own, as forward is denoised's.

JOB is a folder: name.txt says which network, inputs.npz what it is given; network.onnx or
network.ncnn.* are the network where the engine does not take PyTorch's own. Says `ready`, then
answers each line of standard input:

    run OUT         evaluates; OUT is a .npy of the outputs. Says `done`.
    time SECONDS    repeats the evaluation for so much CPU time of this process; says ms per sample"""
import os
import pathlib
import sys
import time

import numpy as np


class Torch:
    """Eager, channels last."""

    def __init__(self, job, inputs):
        import torch
        import networks
        torch.set_num_threads(1)
        self.torch = torch
        module = networks.module_of((job / "name.txt").read_text())
        self.arguments = networks.tensors(inputs)
        if self.arguments[0].dim() == 4:
            module = module.to(memory_format=torch.channels_last)
            first = self.arguments[0].contiguous(memory_format=torch.channels_last)
            self.arguments = (first, *self.arguments[1:])
        self.network = self.prepared(module)
        self.details = torch.backends.cpu.get_cpu_capability()

    def prepared(self, module):
        return module

    def evaluate(self):
        with self.torch.inference_mode():
            return self.network(*self.arguments).numpy()


class TorchCompiled(Torch):
    """Through inductor, as torch.compile does it."""

    def prepared(self, module):
        return self.torch.compile(module)


class TorchFrozen(TorchCompiled):
    """With weights frozen into the graph, and called from C++."""

    def prepared(self, module):
        import torch._inductor.config
        torch._inductor.config.freezing = torch._inductor.config.cpp_wrapper = True
        return super().prepared(module)

    def evaluate(self):
        with self.torch.no_grad():  # freezing wants it so
            return self.network(*self.arguments).numpy()


class OnnxRuntime:
    """All optimisations; inputs and outputs bound once."""

    def __init__(self, job, inputs):
        import onnxruntime
        options = onnxruntime.SessionOptions()
        options.intra_op_num_threads = options.inter_op_num_threads = 1
        options.graph_optimization_level = onnxruntime.GraphOptimizationLevel.ORT_ENABLE_ALL
        self.session = onnxruntime.InferenceSession(job / "network.onnx", options,
                                                    ["CPUExecutionProvider"])
        self.binding = self.session.io_binding()
        for name, value in inputs.items():
            self.binding.bind_cpu_input(name, value)
        self.binding.bind_output("y", "cpu")

    def evaluate(self):
        self.session.run_with_iobinding(self.binding)
        return self.binding.get_outputs()[0].numpy()


class OpenVino:
    """Its default precision: bfloat16 where the processor multiplies it."""
    hints = {}

    def __init__(self, job, inputs):
        import openvino
        settings = {"INFERENCE_NUM_THREADS": 1, "NUM_STREAMS": 1, "PERFORMANCE_HINT": "LATENCY"}
        compiled = openvino.Core().compile_model(job / "network.onnx", "CPU", settings | self.hints)
        self.request = compiled.create_infer_request()
        for name, value in inputs.items():
            self.request.set_tensor(name, openvino.Tensor(np.ascontiguousarray(value)))
        precision = compiled.get_property("INFERENCE_PRECISION_HINT")
        self.details = f"computes in {precision.to_string()}"

    def evaluate(self):
        self.request.infer()
        return self.request.get_output_tensor(0).data


class OpenVinoFloat32(OpenVino):
    hints = {"INFERENCE_PRECISION_HINT": "f32"}


class Ncnn:
    """One sample; float32, Winograd where ncnn wants it."""

    def __init__(self, job, inputs):
        import ncnn
        self.net = ncnn.Net()
        options = {"num_threads": 1, "use_winograd_convolution": True, "use_fp16_packed": False,
                   "use_fp16_storage": False, "use_fp16_arithmetic": False,
                   "use_bf16_packed": False, "use_bf16_storage": False}
        for name, value in options.items():
            setattr(self.net.opt, name, value)
        if self.net.load_param(str(job / "network.ncnn.param")) != 0 or \
                self.net.load_model(str(job / "network.ncnn.bin")) != 0:
            raise RuntimeError("ncnn does not read what pnnx wrote")
        arrays = [np.ascontiguousarray(value[0]) for value in inputs.values()]
        self.mats = [ncnn.Mat(array).clone() for array in arrays]

    def evaluate(self):
        extractor = self.net.create_extractor()
        for index, mat in enumerate(self.mats):
            extractor.input(f"in{index}", mat)
        status, out = extractor.extract("out0")
        if status != 0:
            raise RuntimeError(f"ncnn answers {status}")
        return np.array(out)[None]


ENGINES = {"torch": Torch, "torch-compiled": TorchCompiled,
           "torch-frozen": TorchFrozen, "torch-avx2": Torch,
           "onnxruntime": OnnxRuntime, "openvino": OpenVinoFloat32, "openvino-default": OpenVino,
           "ncnn": Ncnn}


def milliseconds(engine, seconds, count):
    start = time.process_time()
    times, spent, chunk = 0, 0.0, 1
    while spent < seconds:
        for _ in range(chunk):
            engine.evaluate()
        times += chunk
        spent = time.process_time() - start
        chunk = times if spent < seconds / 2 else 1 + times // 16
    return 1e3 * spent / (times * count)


def main():
    answers = os.fdopen(os.dup(1), "w", buffering=1)
    os.dup2(2, 1)  # what libraries print does not answer
    job = pathlib.Path(sys.argv[2])
    with np.load(job / "inputs.npz") as file:
        inputs = dict(file)
    engine = ENGINES[sys.argv[1]](job, inputs)
    engine.evaluate()
    print("ready", getattr(engine, "details", ""), file=answers)
    for line in sys.stdin:
        word, argument = line.split()
        if word == "run":
            np.save(argument, engine.evaluate())
            print("done", file=answers)
        else:
            print(milliseconds(engine, float(argument), len(inputs["x"])), file=answers)


if __name__ == "__main__":
    main()
