#!/bin/sh
# Installs the peers into build/peers (torch is large: minutes and some GB the first time; a pip that
# is told of PyTorch's own index of CPU wheels by PIP_EXTRA_INDEX_URL gets a small one), then compares.
#
#     tests/bench/peers/peers.sh BUILD [options of compare.py | training, options of training.py]
set -eu
here=$(dirname "$0")
wanted=$here/requirements.txt
if ! cmp -s "$wanted" build/peers/requirements.txt; then
    echo "Installing torch, onnxruntime, openvino, ncnn and others into build/peers ..."
    python3 -m venv build/peers
    build/peers/bin/pip install --quiet --disable-pip-version-check -r "$wanted"
    cp "$wanted" build/peers/requirements.txt
fi
# One thread each, whatever library reads which.
export OMP_NUM_THREADS=1 OPENBLAS_NUM_THREADS=1 MKL_NUM_THREADS=1
if [ "${2:-}" = training ]; then
    build=$1
    shift 2
    exec build/peers/bin/python "$here/training.py" "$build/denoised" "$@"
fi
build/peers/bin/python "$here/compare.py" "$@"
[ $# -gt 1 ] || build/peers/bin/python "$here/training.py" "$1/denoised"
