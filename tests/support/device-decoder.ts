// For tests of decoders on the device: a checkpoint as a loaded model, and rows that take in tokens the way the engine's device rows do.
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { type Bank, type BankDType, type BankLayer, Banks, disposeBank } from '../../kernels/decoder/banks.js';
import { buildDecoder } from '../../kernels/decoder/build.js';
import type { JsonObject } from '../../kernels/decoder/config.js';
import { DeviceDecoder } from '../../kernels/decoder/device-model.js';
import { readDecoderSpec } from '../../kernels/decoder/families/index.js';
import { isHalf, type WeightFormat } from '../../kernels/decoder/format.js';
import { writeDecoder } from '../../kernels/decoder/model.js';
import type { DecoderSpec } from '../../kernels/decoder/spec.js';
import type { TensorSource } from '../../kernels/decoder/weights.js';
import { type Device, Traffic } from '../../kernels/session.js';
import { Transfer } from '../../kernels/webgpu/transfer.js';
import { SafetensorsSource } from '../../server/models/safetensors.js';
import { readJson } from './decoder.js';
import { roundFolder } from './rounded.js';

export interface LoadedOnDevice {
  readonly decoder: DeviceDecoder;
  readonly banks: Banks;
  readonly transfer: Transfer;
  readonly traffic: Traffic;
  release(): Promise<void>;
}

/** `device`: the CPU can run the same graphs. */
export async function loadOnDevice(
  directory: string,
  format: WeightFormat,
  device: Device = 'webgpu',
): Promise<LoadedOnDevice> {
  const source = SafetensorsSource.open(directory);
  try {
    const config = readJson(path.join(directory, 'config.json')) as JsonObject;
    return await loadSource(readDecoderSpec(config), source, format, device);
  } finally {
    source.close();
  }
}

export async function loadSource(
  spec: DecoderSpec,
  source: TensorSource,
  format: WeightFormat,
  device: Device,
): Promise<LoadedOnDevice> {
  const out = mkdtempSync(path.join(tmpdir(), 'trimtab-device-'));
  try {
    writeDecoder(spec, source, format, out, undefined, 'webgpu');
    if (device === 'cpu' && isHalf(format)) roundFolder(out, buildDecoder(spec, source, format, 'webgpu').graph);
    const traffic = new Traffic();
    const transfer = new Transfer(traffic, device);
    const banksOf = (layers: readonly BankLayer[], dtype: BankDType): Banks =>
      new Banks(layers, dtype, transfer, traffic);
    const decoder = await DeviceDecoder.load(out, banksOf, traffic, { device });
    const { banks } = decoder;
    return {
      decoder,
      banks,
      transfer,
      traffic,
      async release() {
        await decoder.release();
        await transfer.release();
      },
    };
  } finally {
    rmSync(out, { recursive: true });
  }
}

/** Rows of one bank, which grows as they do. */
export class DeviceRows {
  readonly #loaded: LoadedOnDevice;
  readonly #lengths: number[];
  #bank: Bank | null = null;

  constructor(loaded: LoadedOnDevice, rows: number) {
    this.#loaded = loaded;
    this.#lengths = Array.from({ length: rows }, () => 0);
  }

  /** Takes in new ids of every row and returns the logits of every new position. */
  async feed(fresh: readonly (readonly number[])[]): Promise<number[][][]> {
    const { decoder, banks, transfer } = this.#loaded;
    const lengths = this.#lengths;
    const rows = lengths.length;
    const width = Math.max(...fresh.map((ids) => ids.length));
    const longest = Math.max(...fresh.map((ids, r) => ids.length + lengths[r]!));
    const capacity = 2 ** Math.ceil(Math.log2(Math.max(longest, 8)));
    const at = (of: (row: number, s: number) => number): Int32Array =>
      Int32Array.from({ length: rows * width }, (_, i) => of(Math.trunc(i / width), i % width));
    if (!this.#bank) this.#bank = await banks.empty(rows, capacity);
    else if (this.#bank.capacity < capacity) {
      const index = Int32Array.from({ length: rows }, (_, r) => r);
      const grown = await banks.gather(
        [{ bank: this.#bank, index, lengths: Int32Array.from(lengths) }],
        rows,
        capacity,
      );
      disposeBank(this.#bank);
      this.#bank = grown;
    }
    const before = this.#bank;
    const { ropeSwitchLength } = decoder.spec;
    const output = await decoder.forward({
      rows,
      width,
      ids: at((r, s) => fresh[r]![s] ?? 0),
      positions: at((r, s) => lengths[r]! + Math.min(s, Math.max(0, fresh[r]!.length - 1))),
      segments: fresh.map((ids, r) => [{ count: ids.length, past: lengths[r]!, slots: null }]),
      logitSlots: Int32Array.from(fresh.flatMap((ids, r) => ids.map((_, s) => r * width + s))),
      longRope:
        ropeSwitchLength === null
          ? null
          : Array.from({ length: rows * width }, (_, i) => {
              const r = Math.trunc(i / width);
              return lengths[r]! + fresh[r]!.length > ropeSwitchLength;
            }),
      bank: before,
    });
    this.#bank = output.bank;
    disposeBank(before);
    const { logits } = output;
    const [count = 0, columns = 0] = logits.dims;
    const everyRow = Int32Array.from({ length: count }, (_, row) => row);
    const isThere = logits.location === 'gpu-buffer';
    const data = isThere ? await transfer.toHost(logits, everyRow, 'test') : (logits.data as Float32Array);
    if (isThere) logits.dispose();
    let next = 0;
    return fresh.map((ids, r) => {
      lengths[r]! += ids.length;
      return ids.map(() => [...data.subarray(next * columns, ++next * columns)]);
    });
  }

  dispose(): void {
    if (this.#bank) disposeBank(this.#bank);
    this.#bank = null;
  }
}
