#!/bin/sh
# Makes the models `mixture` and `shapes` again, by `denoised train` in place of points.py, and
# compares them with the shipped ones. Under ten minutes on two cores; the same files every time.
#
#     weights/recipes/points.sh PROGRAM OUT
set -eu
program=$1
out=$2
recipes=$(dirname "$0")
rm -rf "$out"
mkdir -p "$out"
"$program" train --data shapes --hidden 256,256,256,256 --iterations 30000 --rate .002 --seed 0 --threads 1 --out "$out/shapes" &
shapes=$!
"$program" train --data two-gaussians --iterations 8000 --rate .004 --seed 0 --threads 1 --out "$out/mixture"
wait $shapes
for model in mixture shapes; do # what people are told of them is written by hand
    cp "$recipes/../$model/denoised.json" "$out/$model/"
done
exec python3 "$recipes/compare.py" "$program" "$out"
