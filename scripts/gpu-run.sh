#!/usr/bin/env bash
# One call on a machine with a GPU: unpacks what was packed (scripts/gpu-pack.sh), finds the Vulkan driver, runs the GPU tests and measures
# decoding in a model's true shape. Writes gpu.json and log into the output folder; what does not end in time leaves what it has.
# Usage: scripts/gpu-run.sh [--out DIR] [--pack DIR] [--shape NAME] [--weights FORMAT] [--steps N] [--copy-mb N] [--tests all|none|FILES]
#        [--seconds N]    for everything together, 570 by default
set -uo pipefail
cd "$(dirname "$0")/.."
out=${OUT:-gpu-run} pack=.gpu shape=llama1b weights=q4 steps=40 copy=96 tests=all seconds=570
while (($# > 1)); do
  case $1 in
    --out) out=$2 ;;
    --pack) pack=$2 ;;
    --shape) shape=$2 ;;
    --weights) weights=$2 ;;
    --steps) steps=$2 ;;
    --copy-mb) copy=$2 ;;
    --tests) tests=$2 ;;
    --seconds) seconds=$2 ;;
    *)
      echo "unknown option $1" >&2
      exit 2
      ;;
  esac
  shift 2
done
begun=$SECONDS
mkdir -p "$out"
out=$(cd "$out" && pwd)
exec > >(tee "$out/log") 2>&1
left() { echo $((seconds - (SECONDS - begun))); }
note() { echo "== $* ($((SECONDS - begun)) s)"; }

if [[ -e $pack/node.xz ]] && ! command -v node >/dev/null; then
  note 'unpacking node'
  mkdir -p /tmp/trimtab-node && xz -dc "$pack/node.xz" >/tmp/trimtab-node/node && chmod +x /tmp/trimtab-node/node
  export PATH=/tmp/trimtab-node:$PATH
fi
if [[ -e $pack/tree.tar.xz ]] && [[ ! -e node_modules || ! -e dist ]]; then
  note 'unpacking packages and compiled sources'
  tar -xJf "$pack/tree.tar.xz"
  library=node_modules/onnxruntime-node/bin/napi-v6/linux/x64/libonnxruntime.so.1
  xz -dc "$pack/libonnxruntime.so.1.xz" >"$library"
fi
if [[ -e $pack/libvulkan.so.1.xz ]] && ! ldconfig -p | grep -q 'libvulkan\.so\.1'; then
  mkdir -p /tmp/trimtab-vulkan && xz -dc "$pack/libvulkan.so.1.xz" >/tmp/trimtab-vulkan/libvulkan.so.1
  export LD_LIBRARY_PATH=/tmp/trimtab-vulkan${LD_LIBRARY_PATH:+:$LD_LIBRARY_PATH}
fi
# Manifests that drivers leave where the loader does not look.
if [[ -z ${VK_DRIVER_FILES:-}${VK_ICD_FILENAMES:-} ]] && ! compgen -G '/usr/share/vulkan/icd.d/*.json' >/dev/null; then
  for manifest in /etc/vulkan/icd.d/*.json /usr/local/share/vulkan/icd.d/*.json /usr/local/*/share/vulkan/icd.d/*.json; do
    if [[ -e $manifest ]]; then export VK_DRIVER_FILES=$manifest VK_ICD_FILENAMES=$manifest && break; fi
  done
fi
node --version || exit 1
nvidia-smi --query-gpu=name,driver_version,memory.total --format=csv,noheader 2>/dev/null || echo 'no nvidia-smi'

# The model is made beside the tests: a processor's work of a minute or more.
model=$(mktemp -d)
trap 'rm -rf "$model"' EXIT
figures=(--shape "$shape" --weights "$weights" --folder "$model")
timeout "$(left)" node dist/loadtest/gpu/main.js "${figures[@]}" --make-only &
making=$!

test_status=skipped
if [[ $tests != none ]]; then
  note 'tests'
  files=()
  if [[ $tests != all ]]; then read -ra files <<<"$tests"; fi
  config=vitest.gpu.config.ts loader=bundle
  if [[ -e vitest.gpu.config.js ]]; then config=vitest.gpu.config.js loader=native; fi
  # Half of the time: the figures are what a GPU is for.
  timeout $((seconds / 2)) scripts/with-vulkan.sh node node_modules/vitest/vitest.mjs run -c $config --configLoader $loader ${files[@]+"${files[@]}"}
  test_status=$?
  note "tests ended with status $test_status"
fi

wait "$making" || note 'the model could not be made'
note "measuring $shape $weights"
scripts/with-vulkan.sh bash -c 'timeout "$0" node dist/loadtest/gpu/main.js "$@" ${VK_DRIVER_FILES:+--driver "$VK_DRIVER_FILES"} ${VK_ICD_FILENAMES:+--driver "$VK_ICD_FILENAMES"}' \
  "$(left)" "${figures[@]}" --steps "$steps" --copy-mb "$copy" --out "$out/figures.json"
measure_status=$?

node - "$out" "$test_status" "$measure_status" <<'JS'
const fs = require('node:fs');
const [out, tests, measured] = process.argv.slice(2);
const log = fs.readFileSync(`${out}/log`, 'utf8');
const closing = [...log.matchAll(/^(\d+) passed, (\d+) failed$/gm)].at(-1);
const figures = fs.existsSync(`${out}/figures.json`) ? JSON.parse(fs.readFileSync(`${out}/figures.json`, 'utf8')) : null;
const document = {
  tests: { status: tests, passed: closing ? Number(closing[1]) : null, failed: closing ? Number(closing[2]) : null },
  measured: { status: measured, ...figures },
};
fs.writeFileSync(`${out}/gpu.json`, JSON.stringify(document, null, 1) + '\n');
fs.rmSync(`${out}/figures.json`, { force: true });
JS
note "written: $out/gpu.json, $out/log"
((measure_status == 0)) && [[ $test_status == 0 || $test_status == skipped ]]
