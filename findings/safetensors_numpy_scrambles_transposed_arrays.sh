#!/usr/bin/env bash
# Versions: safetensors 0.8.0, numpy 2.4.6, Python 3.11, Linux x86-64; seen in November 2026.
#
# Seen: safetensors.numpy.save_file of a transposed array, or of one in column order (Fortran, as SciPy's linear
#   algebra often hands out), writes the numbers in the order in which they lie in memory under the shape of the view. The
#   file loads without a word and holds other numbers: the shape is right, mean, norm and the set of values are right.
#
# Expected: what one saves one loads. The docstring asks for contiguous arrays, but nothing looks; its
#   neighbour safetensors.torch refuses a transposed tensor with a ValueError, and numpy.save gives the same arrays back right.
#
# Who is hurt: whoever turns checkpoints between frameworks, where a linear layer is transposed on the way (JAX, Keras and
#   TensorFlow keep [in, out], PyTorch [out, in]), or saves features as [frames, dim] that were computed as [dim, frames].
#   Norms, histograms and shapes all look healthy; only the model's answers are noise.
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
cd "$folder"
cannot() { echo "Could not be tried: $1." >&2; exit 2; }
"${PYTHON:-python3}" -m venv venv || cannot "no virtual environment"
venv/bin/python -m pip install --quiet --disable-pip-version-check \
    safetensors==0.8.0 numpy==2.4.6 || cannot "the packages are not to be had"

venv/bin/python - <<'PYTHON'
import sys

import numpy as np
from safetensors.numpy import load_file, save_file

generator = np.random.default_rng(0)
kernel = generator.normal(size=(64, 32)).astype(np.float32)  # [in, out]
saved = {
    "as_it_is": kernel,
    "transposed": kernel.T,
    "column_order": np.asfortranarray(kernel),
    "copied": np.ascontiguousarray(kernel.T),
}
save_file(saved, "weights.safetensors")
loaded = load_file("weights.safetensors")
np.save("transposed.npy", kernel.T)
wrong = {name: float((loaded[name] != array).mean()) for name, array in saved.items()}
for name, array in saved.items():
    print(
        f"{name}: shape {array.shape} -> {loaded[name].shape}, norm {np.linalg.norm(array):.3f} -> "
        f"{np.linalg.norm(loaded[name]):.3f}, wrong numbers {wrong[name]:.0%}"
    )
numpy_is_right = np.array_equal(np.load("transposed.npy"), kernel.T)
print(f"numpy.save gives the transposed array back: {numpy_is_right}")
holds = (
    wrong["as_it_is"] == wrong["copied"] == 0
    and wrong["transposed"] > 0.9
    and wrong["column_order"] > 0.9
    and numpy_is_right
)
print("The finding holds." if holds else "The finding no longer holds.")
sys.exit(0 if holds else 1)
PYTHON
