#!/usr/bin/env bash
# Packs what a bare x86-64 Linux machine with a GPU lacks, into .gpu/ (ignored by git): node, the packages that serving and the GPU tests
# need, the compiled sources, and a Vulkan loader. With the tracked files it stays below 64 MiB. scripts/gpu-run.sh unpacks it there.
# Needs `npm ci` and `npm run build` before. Usage: scripts/gpu-pack.sh
set -euo pipefail
cd "$(dirname "$0")/.."
pack=.gpu
stage=$(mktemp -d)
trap 'rm -rf "$stage"' EXIT
mkdir -p "$pack"
# Machine code is a tenth smaller behind the filter for it.
squeeze() { xz --x86 --lzma2=preset=9e,dict=128MiB -c "$@"; }

# Node's own symbols are half of what compresses badly; a second packing finds the first one's.
if [[ ! -e $pack/node.xz ]]; then
  cp "$(readlink -f "$(command -v node)")" "$stage/node"
  strip "$stage/node" 2>/dev/null || true
  squeeze "$stage/node" >"$pack/node.xz.part" && mv "$pack/node.xz.part" "$pack/node.xz"
  rm "$stage/node"
fi

node - "$stage" <<'JS'
const fs = require('node:fs');
const path = require('node:path');
const stage = process.argv[2];
const own = JSON.parse(fs.readFileSync('package.json', 'utf8'));
// Pictures need a native library that is larger than everything else together; models on the GPU read none.
// The tests travel as JavaScript: nothing there compiles them.
const left = new Set(['sharp', '@fastify/swagger-ui', '@napi-rs/nice', '@esbuild/linux-x64']);
const queue = [...Object.keys(own.dependencies), 'vitest', 'fast-check'].map((name) => [name, process.cwd()]);
const seen = new Set();
const skipped = /(\.map|\.md|\.d\.[cm]?ts|\.markdown|LICENSE.*|CHANGELOG.*)$|\/(test|tests|docs|example|examples|benchmark|benchmarks|\.github)\/|napi-v6\/(win32|darwin|linux\/arm64)|onnxruntime_providers_|esbuild\/lib\/downloaded/;
while (queue.length > 0) {
  const [name, from] = queue.pop();
  if (left.has(name)) continue;
  let at = from;
  let found = null;
  for (;;) {
    const candidate = path.join(at, 'node_modules', name);
    if (fs.existsSync(path.join(candidate, 'package.json'))) { found = candidate; break; }
    if (path.dirname(at) === at) break;
    at = path.dirname(at);
  }
  // Optional ones for other systems are not there.
  if (!found || seen.has(found)) continue;
  seen.add(found);
  const { dependencies = {}, optionalDependencies = {}, peerDependencies = {}, peerDependenciesMeta = {} } =
    JSON.parse(fs.readFileSync(path.join(found, 'package.json'), 'utf8'));
  const peers = Object.keys(peerDependencies).filter((peer) => !peerDependenciesMeta[peer]?.optional);
  for (const next of [...Object.keys(dependencies), ...Object.keys(optionalDependencies), ...peers]) queue.push([next, found]);
  const to = path.join(stage, found.slice(found.indexOf('/node_modules/')));
  fs.cpSync(found, to, {
    recursive: true,
    dereference: true,
    filter: (file) => !skipped.test(file.slice(found.length - path.basename(found).length - 1)) && !file.slice(found.length).includes('/node_modules'),
  });
}
const sharp = path.join(stage, 'node_modules/sharp');
fs.mkdirSync(sharp, { recursive: true });
fs.writeFileSync(path.join(sharp, 'package.json'), '{"name":"sharp","version":"0.0.0","main":"index.js"}');
fs.writeFileSync(path.join(sharp, 'index.js'), "module.exports = () => { throw new Error('sharp is not packed'); };\n");
JS
# Compiled beside their sources, which the test runner prefers then.
git ls-files 'decoders/*.ts' 'kernels/*.ts' 'server/*.ts' 'loadtest/*.ts' 'tests/gpu/*.ts' 'tests/kernels/*.ts' 'tests/support/*.ts' vitest.gpu.config.ts |
  xargs npx --no-install esbuild --log-level=warning --format=esm --outbase=. --outdir="$stage"
sed -i "s/\\.ts\\b/.js/g" "$stage/vitest.gpu.config.js"
cp -r dist "$stage/dist"
find "$stage/dist" \( -name '*.map' -o -name '*.d.ts' -o -name '.tsbuildinfo' \) -delete
tar -C "$stage" --exclude=libonnxruntime.so.1 -cf - . | squeeze >"$pack/tree.tar.xz"
library=node_modules/onnxruntime-node/bin/napi-v6/linux/x64/libonnxruntime.so.1
if [[ ! -e $pack/libonnxruntime.so.1.xz ]]; then squeeze "$stage/$library" >"$pack/libonnxruntime.so.1.xz"; fi

for loader in /usr/lib/x86_64-linux-gnu/libvulkan.so.1 /usr/lib/chromium/libvulkan.so.1; do
  if [[ -e $loader ]]; then squeeze "$(readlink -f "$loader")" >"$pack/libvulkan.so.1.xz" && break; fi
done

tracked=$(git ls-files -z | xargs -0 du -cb | awk 'END { print $1 }')
carried=$(du -cb "$pack"/* | awk 'END { print $1 }')
echo "tracked $((tracked / 1024)) KiB + packed $((carried / 1024)) KiB = $(((tracked + carried) / 1024 / 1024)) MiB"
if ((tracked + carried > 64 * 1024 * 1024)); then
  echo 'more than 64 MiB'
  exit 1
fi
