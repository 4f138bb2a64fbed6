// For tests of decoder graphs: a golden checkpoint as a loaded model, and a minimal host cache that keeps rows, pads batches and fills
// every slot that nobody may read with garbage.
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import type { JsonObject } from '../../kernels/decoder/config.js';
import { readDecoderSpec } from '../../kernels/decoder/families/index.js';
import type { WeightFormat } from '../../kernels/decoder/format.js';
import { DecoderModel, writeDecoder } from '../../kernels/decoder/model.js';
import { SafetensorsSource } from '../../server/models/safetensors.js';

export interface Golden {
  readonly model_type: string;
  readonly inputs: readonly number[][];
  readonly logits: readonly number[][][];
  readonly greedy?: readonly number[][];
  readonly greedy_gaps?: readonly number[][];
  readonly pooled?: readonly number[][];
  readonly padded?: { readonly input: readonly number[]; readonly pooled: readonly number[] };
}

export const readJson = (file: string): unknown => JSON.parse(readFileSync(file, 'utf8'));

/** Converts into a temporary folder, loads, and removes the folder again (the weights stay mapped). */
export async function loadCheckpoint(
  directory: string,
  format: WeightFormat,
  configFile = 'config.json',
): Promise<DecoderModel> {
  const spec = readDecoderSpec(readJson(path.join(directory, configFile)) as JsonObject);
  const source = SafetensorsSource.open(directory);
  const out = mkdtempSync(path.join(tmpdir(), 'trimtab-decoder-'));
  try {
    writeDecoder(spec, source, format, out);
    return await DecoderModel.load(out, { threads: 1 });
  } finally {
    rmSync(out, { recursive: true });
  }
}

/** One row's keys and values: per layer and position, [kvHeads][headDim]. */
interface Row {
  length: number;
  readonly keys: Float32Array[][];
  readonly values: Float32Array[][];
}

const garbage = 77;

/** Rows over one model. `feed` takes in new ids of several rows in one forward and returns the logits of every new position. */
export class HostCache {
  readonly #model: DecoderModel;
  readonly #rows: Row[] = [];

  constructor(model: DecoderModel, rows: number) {
    this.#model = model;
    for (let i = 0; i < rows; i++)
      this.#rows.push({ length: 0, keys: model.spec.layers.map(() => []), values: model.spec.layers.map(() => []) });
  }

  get isEmpty(): boolean {
    return this.#rows.every((row) => row.length === 0);
  }

  async feed(fresh: readonly (readonly number[])[], spareSlots = 3): Promise<number[][][]> {
    const { layers, ropeSwitchLength } = this.#model.spec;
    const rows = this.#rows;
    const width = Math.max(...fresh.map((ids) => ids.length));
    const capacity = Math.max(...rows.map((row) => row.length)) + spareSlots;
    const pack = (of: (row: Row) => readonly Float32Array[], kvHeads: number, headDim: number): Float32Array => {
      const packed = new Float32Array(rows.length * kvHeads * capacity * headDim).fill(garbage);
      rows.forEach((row, r) =>
        of(row).forEach((entry, position) => {
          for (let h = 0; h < kvHeads; h++)
            packed.set(
              entry.subarray(h * headDim, (h + 1) * headDim),
              ((r * kvHeads + h) * capacity + position) * headDim,
            );
        }),
      );
      return packed;
    };
    const padded = (of: (row: number, s: number) => number): Int32Array =>
      Int32Array.from({ length: rows.length * width }, (_, i) => of(Math.trunc(i / width), i % width));
    const slots = fresh.flatMap((ids, r) => ids.map((_, s) => r * width + s));
    const output = await this.#model.forward({
      rows: rows.length,
      width,
      ids: padded((r, s) => fresh[r]![s] ?? 0),
      positions: padded((r, s) => rows[r]!.length + Math.min(s, fresh[r]!.length - 1)),
      segments: fresh.map((ids, r) => [{ count: ids.length, past: rows[r]!.length, slots: null }]),
      pastCapacity: capacity,
      pastKeys: layers.map(({ kvHeads, headDim }, i) => pack((row) => row.keys[i]!, kvHeads, headDim)),
      pastValues: layers.map(({ kvHeads, headDim }, i) => pack((row) => row.values[i]!, kvHeads, headDim)),
      logitSlots: Int32Array.from(slots),
      longRope:
        ropeSwitchLength === null
          ? null
          : Array.from({ length: rows.length * width }, (_, i) => {
              const r = Math.trunc(i / width);
              return rows[r]!.length + fresh[r]!.length > ropeSwitchLength;
            }),
    });
    layers.forEach(({ kvHeads, headDim }, i) => {
      const entry = (from: Float32Array, r: number, s: number): Float32Array => {
        const result = new Float32Array(kvHeads * headDim);
        for (let h = 0; h < kvHeads; h++) {
          const at = ((r * kvHeads + h) * width + s) * headDim;
          result.set(from.subarray(at, at + headDim), h * headDim);
        }
        return result;
      };
      rows.forEach((row, r) =>
        fresh[r]!.forEach((_, s) => {
          row.keys[i]!.push(entry(output.newKeys[i]!, r, s));
          row.values[i]!.push(entry(output.newValues[i]!, r, s));
        }),
      );
    });
    rows.forEach((row, r) => (row.length += fresh[r]!.length));
    const [, columns = 0] = output.logits.dims;
    const data = output.logits.data as Float32Array;
    let next = 0;
    return fresh.map((ids) => ids.map(() => Array.from(data.subarray(next * columns, ++next * columns))));
  }
}
