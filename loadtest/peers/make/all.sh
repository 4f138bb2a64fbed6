#!/usr/bin/env bash
# Makes everything that bench:peers compares: random checkpoints in two true shapes, and the same weights for both peers.
# Needs a built trimtab (npm run build) and a Python with numpy and onnx: PYTHON=… bash make/all.sh [DIRECTORY]
set -euo pipefail
here=$(cd "$(dirname "$0")" && pwd)
root=$(cd "$here/../../.." && pwd)
out=${1:-$root/.cache/bench/peers}
python=${PYTHON:-python3}
mkdir -p "$out"
for shape in smol135 llama1b; do
  [ -f "$out/$shape/model.safetensors" ] || node "$root/dist/loadtest/bench/checkpoint.js" "$shape" "$out/$shape"
  for type in q4_0 q8_0; do
    [ -f "$out/$shape-$type.gguf" ] || "$python" "$here/to_gguf.py" "$out/$shape" "$out/$shape-$type.gguf" --type "$type"
  done
  for bits in 4 8; do
    "$python" "$here/to_onnx_hf.py" "$out/$shape" "$out/$shape-onnx" --bits "$bits"
  done
done
