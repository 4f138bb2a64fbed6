// The GPU as the engine sees it: is there an adapter, what its failures mean, and what all models on it share. Called by worker.ts, by
// EngineModel when it loads, and by `trimtab doctor` (adapters). The provider tells nobody the adapter's name or limits, so drivers are
// listed as the Vulkan loader would find them.
import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { delimiter, join } from 'node:path';
import { Banks } from '../../kernels/decoder/banks.js';
import { buildDecoder } from '../../kernels/decoder/build.js';
import { DeviceDecoder } from '../../kernels/decoder/device-model.js';
import { readDecoderFile } from '../../kernels/decoder/model.js';
import { LogitKernels } from '../../kernels/logits/kernels.js';
import { Traffic } from '../../kernels/session.js';
import { hasFloat16 } from '../../kernels/webgpu/float16.js';
import { isRefusal, namingOperators, OperatorsMissing } from '../../kernels/webgpu/lacking.js';
import { Transfer } from '../../kernels/webgpu/transfer.js';
import { AppError } from '../errors.js';
import { readCheckpoint } from '../models/checkpoint.js';
import { computesInFloat16 } from '../models/weight-format.js';
import { SafetensorsSource } from '../models/safetensors.js';
import { reasonOf } from '../reason.js';
import { DeviceCache } from './device-cache.js';
import { DeviceRows } from './device-rows.js';
import type { EngineSettings, ModelSettings } from './messages.js';
import type { LoadedPlace } from './model.js';
import { inFloat32 } from './not-finite.js';

export interface Adapters {
  /** A session of the provider could be made. */
  readonly available: boolean;
  /** Why not. */
  readonly problem: string | null;
  /** It computes in half precision (the feature shader-f16). */
  readonly float16: boolean;
  /** Vulkan drivers that are installed: their manifest and their library. Empty off Linux, where the system knows them. */
  readonly drivers: readonly { readonly manifest: string; readonly library: string }[];
}

/** What models of one thread share on the device. */
export interface GpuDevice {
  readonly float16: boolean;
  readonly traffic: Traffic;
  readonly transfer: Transfer;
  readonly kernels: LogitKernels;
}

/** Tries the provider. Starts the device, which stays open in this process. */
export async function adapters(environment: Environment = {}): Promise<Adapters> {
  const drivers = vulkanDrivers(environment);
  try {
    const transfer = new Transfer();
    const there = await transfer.toDevice(Int32Array.of(1), [1]);
    there.dispose();
    await transfer.release();
    return { available: true, problem: null, float16: await hasFloat16(), drivers };
  } catch (error) {
    return { available: false, problem: shortReason(error), float16: false, drivers };
  }
}

export function openGpu({ float16 }: Pick<Adapters, 'float16'>): GpuDevice {
  const traffic = new Traffic();
  const transfer = new Transfer(traffic);
  return { float16, traffic, transfer, kernels: new LogitKernels({ threads: 1, device: 'webgpu', traffic }) };
}

/** What cannot run there (on the CPU where it is null), known before anything is converted. */
export function refuseModel(model: ModelSettings, gpu: Pick<GpuDevice, 'float16'> | null): void {
  refuseWeights(model, gpu);
  if (gpu && readCheckpoint(model.path).spec.vision) throw new AppError('device_pictures', { model: model.name });
}

export function refuseWeights(
  { name, weights }: Pick<ModelSettings, 'name' | 'weights'>,
  gpu: Pick<GpuDevice, 'float16'> | null,
): void {
  if (gpu && weights === 'w8a8') throw new AppError('device_weights', { model: name, weights });
  if (!computesInFloat16(weights) || gpu?.float16) return;
  const [problem, remedy] = gpu
    ? ['this GPU, or its driver, lacks the feature (shader-f16)', `Use "weights": "${inFloat32(weights)}".`]
    : [
        'the CPU would only widen it again',
        `Set "device": "webgpu" for it, or use "weights": "${inFloat32(weights)}".`,
      ];
  throw new AppError('device_float16', { model: name, weights, problem, remedy });
}

export async function loadOnDevice(
  directory: string,
  model: ModelSettings,
  settings: EngineSettings,
  { traffic, transfer }: GpuDevice,
): Promise<LoadedPlace> {
  const { spec, format } = readDecoderFile(directory);
  try {
    const decoder = await DeviceDecoder.load(
      directory,
      (layers, dtype) => new Banks(layers, dtype, transfer, traffic),
      traffic,
    );
    const limits = { maxRows: settings.maxRows, bytes: settings.cacheBytes };
    const cache = new DeviceCache(decoder.spec.layers, decoder.banks, limits);
    return {
      spec: decoder.spec,
      parameters: decoder.parameters,
      place: new DeviceRows(decoder, cache, transfer),
      images: null,
    };
  } catch (error) {
    if (!isRefusal(error)) throw explained(error, model.name);
    // The graph as it was converted, to be asked node by node; no weight is read.
    const source = SafetensorsSource.open(model.path);
    try {
      throw explained(await namingOperators(error, buildDecoder(spec, source, format, 'webgpu').graph), model.name);
    } finally {
      source.close();
    }
  }
}

/** How failures read: the provider (onnxruntime 1.30 over Dawn) has no codes for them. docs/gpu.md says how these words were found. */
const readings: readonly {
  readonly code: 'device_missing' | 'device_lost' | 'device_memory';
  readonly says: RegExp;
}[] = [
  { code: 'device_missing', says: /Failed to get a WebGPU|no supported adapters/i },
  {
    code: 'device_memory',
    // A buffer that was not to be had is told on the terminal only; whatever touches it later is "invalid due to a previous error".
    says: /out of memory|OUT_OF_(DEVICE|HOST)_MEMORY|Failed to create GPU buffer|Too many storage buffers|invalid due to a previous error|exceeds the max|max.*buffer.*size|bad_alloc/i,
  },
  {
    code: 'device_lost',
    says: /is lost|device.{0,20}lost|lost.{0,20}device|Failed to (wait for the operation|pop WebGPU error scope)/i,
  },
];

/** A failure of the device in the words of the error table; anything else stays what it is. */
export function explained(error: unknown, model = 'a kernel'): unknown {
  if (error instanceof AppError) return error;
  const options = { cause: error };
  if (error instanceof OperatorsMissing)
    return new AppError('device_operator', { model, reason: error.operators.join(', ') }, options);
  const said = reasonOf(error);
  const reason = shortReason(error);
  if (isRefusal(error)) return new AppError('device_operator', { model, reason }, options);
  const code = readings.find(({ says }) => says.test(said))?.code;
  switch (code) {
    case 'device_missing':
      return new AppError(code, { reason }, options);
    case 'device_memory':
      return new AppError(code, { model, reason }, options);
    case 'device_lost':
      return new AppError(code, { reason, retryAfterSeconds: RESTART_SECONDS }, options);
    case undefined:
      return error;
    default:
      return code satisfies never;
  }
}

/**
 * The same of a failure between requests' tokens, where there is a GPU. What it held is gone or in doubt, whatever failed: garbage that was
 * read back fails in our own code. So the thread ends and another one starts; `null` where the thread can go on.
 */
export function fatal(error: unknown): AppError | null {
  const told = explained(error);
  const said = { reason: shortReason(error), retryAfterSeconds: RESTART_SECONDS };
  if (!(told instanceof AppError)) return new AppError('device_failed', said, { cause: error });
  const { code } = told.data;
  if (code === 'device_lost') return told;
  return code === 'device_memory' ? new AppError('device_full', said, { cause: error }) : null;
}

/** About what loading the models again takes. */
const RESTART_SECONDS = 5;

/** Without source files and lines of the runtime. */
function shortReason(error: unknown): string {
  const reason = reasonOf(error);
  return reason.replace(/^\S+\.cc:\d+ .*?(?=Failed|This session|No |Device)/s, '').slice(0, 300);
}

/** Variables by name; the command line passes its own. */
export type Environment = Readonly<Record<string, string | undefined>>;

function vulkanDrivers(environment: Environment): Adapters['drivers'] {
  const named = environment['VK_DRIVER_FILES'] ?? environment['VK_ICD_FILENAMES'];
  const folders = ['/usr/share/vulkan/icd.d', '/etc/vulkan/icd.d', '/usr/local/share/vulkan/icd.d'];
  const manifests = named
    ? named.split(delimiter)
    : folders.flatMap((folder) => (existsSync(folder) ? readdirSync(folder).map((file) => join(folder, file)) : []));
  return manifests.flatMap((manifest) => {
    try {
      const { ICD } = JSON.parse(readFileSync(manifest, 'utf8')) as { ICD?: { library_path?: string } };
      return ICD?.library_path === undefined ? [] : [{ manifest, library: ICD.library_path }];
    } catch {
      return [];
    }
  });
}
