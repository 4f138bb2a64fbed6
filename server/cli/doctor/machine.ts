// Checks of the machine: Node, the runtime, the processor, memory, GPU adapters.
import { arch, availableParallelism, cpus, freemem, totalmem } from 'node:os';
import { runtimeVersion } from '../../../kernels/runtime.js';
import type { ModelSettings } from '../../engine/messages.js';
import { inFloat32 } from '../../engine/not-finite.js';
import { cpuFlags } from '../../models/processor.js';
import { siCount } from '../terminal.js';
import { note, ok, warn, fail, type Finding } from './finding.js';

const leastNode = [20, 20] as const;

export function checkNode(version = process.versions.node): Finding {
  const [major = 0, minor = 0] = version.split('.').map(Number);
  const isEnough = major > leastNode[0] || (major === leastNode[0] && minor >= leastNode[1]);
  return isEnough
    ? ok('node', `${version}, ${process.platform} ${arch()}`)
    : fail('node', `${version} is too old`, `Install Node ${leastNode.join('.')} or later.`);
}

export const checkRuntime = (): Finding => ok('runtime', `onnxruntime ${runtimeVersion()}`);

export function checkProcessor(threads: number, flags = cpuFlags()): Finding[] {
  const cores = availableParallelism();
  const model = cpus()[0]?.model.trim() ?? 'unknown';
  const found: Finding[] = [ok('processor', `${model}, ${cores} cores for this process, ${threads} threads`)];
  if (threads > cores)
    found.push(
      warn('threads', `${threads} threads on ${cores} cores wait for each other`, `Set runtime.threads to ${cores}.`),
    );
  if (flags === null) return [...found, note('instructions', 'this system does not list them')];
  const interesting = ['avx2', 'avx512f', 'avx_vnni', 'avx512_vnni', 'amx_int8', 'asimd', 'asimddp', 'i8mm'];
  const has = interesting.filter((flag) => flags.has(flag));
  const isFast = ['avx_vnni', 'avx512_vnni', 'asimddp', 'i8mm'].some((flag) => flags.has(flag));
  if (arch() === 'x64' && !flags.has('avx2'))
    found.push(
      warn(
        'instructions',
        'no AVX2: everything will be several times slower',
        'Use a processor or a virtual machine with AVX2.',
      ),
    );
  else found.push(ok('instructions', `${has.join(', ')}${isFast ? '' : ' (no VNNI: w8a8 and q8 gain less here)'}`));
  return found;
}

/** What this process may use: a container's limit where there is one. */
export function memoryLimit(): number {
  const limit = process.constrainedMemory();
  return limit > 0 && limit < totalmem() ? limit : totalmem();
}

export interface MemoryNeed {
  readonly weightBytes: number;
  /** As much as the caches of all models can grow to. */
  readonly cacheBytes: number;
}

/** Node, the runtime and the text thread, without any model. */
const BASE_BYTES = 300e6;

export function checkMemory(need: MemoryNeed, limit = memoryLimit(), free = freemem()): Finding {
  const figures = `${siCount(need.weightBytes)}B of weights, up to ${siCount(need.cacheBytes)}B of caches; this process may use ${siCount(limit)}B, ${siCount(free)}B are free`;
  if (need.weightBytes + BASE_BYTES > limit)
    return fail('memory', figures, 'Store the weights as q4 or q8 (models.NAME.weights), or serve fewer models.');
  if (need.weightBytes + need.cacheBytes + BASE_BYTES > limit)
    return warn(
      'memory',
      `${figures}: enough to start, too little for full caches`,
      'Lower limits.cacheBytes and limits.prefixCacheBytes, which count per model, or limits.maxRows.',
    );
  return ok('memory', figures);
}

/** `wanted`: a model is to run there; `inFloat16`: these, in half precision. Tries the provider, as a start would. */
export async function checkAdapters(
  wanted: boolean,
  inFloat16: readonly Pick<ModelSettings, 'name' | 'weights'>[] = [],
): Promise<Finding> {
  const { adapters } = await import('../../engine/device.js');
  const { available, problem, float16, drivers } = await adapters();
  const installed = drivers.length === 0 ? 'none listed' : drivers.map(({ library }) => library).join(', ');
  const [refused] = inFloat16;
  if (available && refused && !float16)
    return fail(
      'gpu',
      `WebGPU works here, without float16 (shader-f16), which ${refused.name} wants; drivers: ${installed}`,
      `Set models.${refused.name}.weights to ${inFloat32(refused.weights)}.`,
    );
  const half = float16 ? 'computes in float16 too' : 'without float16: f16, q8f16 and q4f16 cannot run';
  if (available) return ok('gpu', `WebGPU works here, ${half}; drivers: ${installed}`);
  const text = `no WebGPU: ${problem ?? 'no reason given'}; drivers: ${installed}`;
  if (!wanted) return note('gpu', `${text}. Models run on the processor`);
  return fail('gpu', text, 'Install the driver and the Vulkan loader, or set models.NAME.device to cpu (docs/gpu.md).');
}
