"""What the figures depend on: the processor, versions, what else runs."""
import importlib.metadata
import os
import pathlib
import time

PACKAGES = ["torch", "diffusers", "onnxruntime", "openvino", "ncnn", "pnnx", "numpy"]
INSTRUCTIONS = ["avx2", "fma", "avx512f", "avx512_bf16", "avx512_vnni", "amx_tile", "amx_bf16"]


def of_processor(key):
    for line in pathlib.Path("/proc/cpuinfo").read_text().splitlines():
        if line.startswith(key):
            return line.split(":", 1)[1].strip()
    return "unknown"


def has(instruction):
    return instruction in of_processor("flags").split()


def facts():
    """Lines to print."""
    core = os.environ.get("OPENBLAS_CORETYPE")
    return [f"date         {time.strftime('%Y-%m-%d')}",
            f"processor    {of_processor('model name')}, family {of_processor('cpu family')} model "
            f"{of_processor('model')}, {len(os.sched_getaffinity(0))} of {os.cpu_count()} cores",
            f"instructions {', '.join(name for name in INSTRUCTIONS if has(name)) or 'others'}",
            f"load         {os.getloadavg()[0]:.1f}",
            "OPENBLAS_CORETYPE is " + (f"set: {core}" if core else "not set"),
            "versions     " + ", ".join(f"{name} {importlib.metadata.version(name)}"
                                        for name in PACKAGES)]
