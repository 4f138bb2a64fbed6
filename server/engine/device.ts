// The GPU as the engine sees it: is there an adapter, what its failures mean, and what all models on it share. Called by worker.ts, by
// EngineModel when it loads, and by `trimtab doctor` (adapters). The provider tells nobody the adapter's name or limits, so drivers are
// listed as the Vulkan loader would find them.
import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { delimiter, join } from 'node:path';
import { Banks } from '../../kernels/decoder/banks.js';
import { DeviceDecoder } from '../../kernels/decoder/device-model.js';
import { readDecoderFile } from '../../kernels/decoder/model.js';
import { LogitKernels } from '../../kernels/logits/kernels.js';
import { Traffic } from '../../kernels/session.js';
import { Transfer } from '../../kernels/webgpu/transfer.js';
import { AppError } from '../errors.js';
import { DeviceCache } from './device-cache.js';
import { DeviceRows } from './device-rows.js';
import type { EngineSettings, ModelSettings } from './messages.js';
import type { LoadedPlace } from './model.js';

export interface Adapters {
  /** A session of the provider could be made. */
  readonly available: boolean;
  /** Why not. */
  readonly problem: string | null;
  /** Vulkan drivers that are installed: their manifest and their library. Empty off Linux, where the system knows them. */
  readonly drivers: readonly { readonly manifest: string; readonly library: string }[];
}

/** What models of one thread share on the device. */
export interface GpuDevice {
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
    return { available: true, problem: null, drivers };
  } catch (error) {
    return { available: false, problem: shortReason(error), drivers };
  }
}

export function openGpu(): GpuDevice {
  const traffic = new Traffic();
  const transfer = new Transfer(traffic);
  return { traffic, transfer, kernels: new LogitKernels({ threads: 1, device: 'webgpu', traffic }) };
}

export async function loadOnDevice(
  directory: string,
  model: ModelSettings,
  settings: EngineSettings,
  { traffic, transfer }: GpuDevice,
): Promise<LoadedPlace> {
  if (model.weights === 'w8a8') throw new AppError('device_weights', { model: model.name, weights: model.weights });
  try {
    if (readDecoderFile(directory).spec.vision) throw new AppError('device_pictures', { model: model.name });
    const decoder = await DeviceDecoder.load(directory, (layers) => new Banks(layers, transfer, traffic), traffic);
    const limits = { maxRows: settings.maxRows, bytes: settings.cacheBytes };
    const cache = new DeviceCache(decoder.spec.layers, decoder.banks, limits);
    return {
      spec: decoder.spec,
      parameters: decoder.parameters,
      place: new DeviceRows(decoder, cache, transfer),
      images: null,
    };
  } catch (error) {
    throw explained(error, model.name);
  }
}

/** A failure of the device in the words of the error table; anything else stays what it is. */
export function explained(error: unknown, model = 'a kernel'): unknown {
  if (error instanceof AppError) return error;
  const reason = error instanceof Error ? error.message : String(error);
  const options = { cause: error };
  if (/adapter/i.test(reason)) return new AppError('device_missing', { reason: shortReason(error) }, options);
  if (/device.{0,20}lost|lost.{0,20}device|DEVICE_LOST/i.test(reason))
    return new AppError('device_lost', { reason: shortReason(error), retryAfterSeconds: 5 }, options);
  if (/out of memory|OUT_OF_(DEVICE|HOST)_MEMORY|exceeds the max|max.*buffer.*size|bad_alloc/i.test(reason))
    return new AppError('device_memory', { model, reason: shortReason(error) }, options);
  if (/fallback to CPU EP has been explicitly disabled/.test(reason))
    return new AppError('device_operator', { model, reason: shortReason(error) }, options);
  return error;
}

/** Without source files and lines of the runtime. */
function shortReason(error: unknown): string {
  const reason = error instanceof Error ? error.message : String(error);
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
