#!/usr/bin/env bash
# Runs a command where the WebGPU provider finds a Vulkan driver: the system's, if its loader is installed, else the software driver of
# Debian's chromium package. Ends with status 75 and a loud line where there is neither. Usage: scripts/with-vulkan.sh COMMAND…
set -euo pipefail

chromium=/usr/lib/chromium
if [[ -n ${VK_ICD_FILENAMES:-}${VK_DRIVER_FILES:-} ]]; then
  : # Whoever calls has chosen.
elif [[ ${TRIMTAB_SOFTWARE_GPU:-} != 1 ]] && ldconfig -p | grep -q 'libvulkan\.so\.1' && compgen -G '/usr/share/vulkan/icd.d/*.json' >/dev/null; then
  : # The system's loader finds the system's drivers.
elif [[ -e $chromium/libvk_swiftshader.so && -e $chromium/libvulkan.so.1 ]]; then
  export VK_ICD_FILENAMES=$chromium/vk_swiftshader_icd.json
  export LD_LIBRARY_PATH=$chromium${LD_LIBRARY_PATH:+:$LD_LIBRARY_PATH}
  echo "Vulkan: SwiftShader, in software (from $chromium)" >&2
else
  echo '=================================================================================' >&2
  echo 'NO VULKAN DRIVER: GPU TESTS ARE SKIPPED. Install one, or the package chromium.' >&2
  echo '=================================================================================' >&2
  exit 75
fi
export XDG_RUNTIME_DIR=${XDG_RUNTIME_DIR:-/tmp}
exec "$@"
