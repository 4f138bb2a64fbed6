// A decoder on the CPU: runs one forward over ragged rows whose keys and values the caller keeps. It makes masks, rope rows and shapes,
// feeds the past where it lies and returns the new tokens' keys and values. It knows no sequence and owns no cache.
import { readFileSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import { createSession, type Device, type Session, Tensor } from '../session.js';
import { verify } from '../verify.js';
import { modelFile, writeGraph } from '../write.js';
import { buildDecoder } from './build.js';
import type { WeightFormat } from './format.js';
import { attentionMask } from './masks.js';
import * as ports from './ports.js';
import { RopeTables } from './rope.js';
import type { DecoderSpec } from './spec.js';
import { tokenFeeds, type TokenBatch } from './token-feeds.js';
import type { TensorSource } from './weights.js';

export interface DecoderBatch extends TokenBatch {
  /** M ≥ 1: slots per row of the past arrays. What lies beyond a row's past length must be finite. */
  readonly pastCapacity: number;
  /** Per layer [B, kvHeads, M, headDim]. */
  readonly pastKeys: readonly Float32Array[];
  readonly pastValues: readonly Float32Array[];
  /** Rows of pictures in the places of tokens: [I] of the B·S, and [I, hidden]. */
  readonly images?: { readonly slots: readonly number[]; readonly rows: Float32Array };
}

export interface DecoderOutput {
  /** [logitSlots.length, vocab], or [.., labels] of a classifier. */
  readonly logits: Tensor;
  /** [logitSlots.length, hidden], where they were wanted. */
  readonly hidden?: Tensor;
  /** Per layer [B, kvHeads, S, headDim], views of one array. */
  readonly newKeys: readonly Float32Array[];
  readonly newValues: readonly Float32Array[];
}

interface DecoderFile {
  readonly spec: DecoderSpec;
  readonly format: WeightFormat;
  readonly parameters: number;
}

const decoderFile = 'decoder.json';

export const readDecoderFile = (directory: string): DecoderFile =>
  JSON.parse(readFileSync(path.join(directory, decoderFile), 'utf8')) as DecoderFile;

/** Converts a checkpoint into a model folder (which must exist): model.onnx, weights.bin, decoder.json. */
export function writeDecoder(
  spec: DecoderSpec,
  source: TensorSource,
  format: WeightFormat,
  directory: string,
  onProgress: (fraction: number) => void = () => {},
  device: Device = 'cpu',
): void {
  const { graph, parameters } = buildDecoder(spec, source, format, device);
  verify(graph);
  writeGraph(graph, directory, onProgress);
  const file: DecoderFile = { spec, format, parameters };
  writeFileSync(path.join(directory, decoderFile), JSON.stringify(file), { flush: true });
}

export class DecoderModel {
  readonly spec: DecoderSpec;
  readonly format: WeightFormat;
  readonly parameters: number;
  readonly #session: Session;
  readonly #ropes: readonly RopeTables[];
  readonly #masks: readonly { readonly name: string; readonly window: number | null; readonly group: number }[];

  private constructor({ spec, format, parameters }: DecoderFile, session: Session) {
    this.spec = spec;
    this.format = format;
    this.parameters = parameters;
    this.#session = session;
    this.#ropes = spec.ropes.map((rope) => new RopeTables(rope));
    const masks = spec.layers.map(({ window, heads, kvHeads }) => {
      const group = heads / kvHeads;
      return { name: ports.maskInput(window, group), window, group };
    });
    this.#masks = [...new Map(masks.map((mask) => [mask.name, mask])).values()];
  }

  /** Loads a folder that writeDecoder made. */
  static async load(
    directory: string,
    { threads, profilePrefix }: { threads: number; profilePrefix?: string },
  ): Promise<DecoderModel> {
    const file = readDecoderFile(directory);
    const session = await createSession(
      { path: path.join(directory, modelFile) },
      { threads, device: 'cpu', ...(profilePrefix === undefined ? {} : { profilePrefix }) },
    );
    return new DecoderModel(file, session);
  }

  async forward(batch: DecoderBatch): Promise<DecoderOutput> {
    const fetches = [ports.logitsOutput, ports.newKeyValuesOutput, ...(batch.wantsHidden ? [ports.hiddenOutput] : [])];
    const results = await this.#session.run(this.#feeds(batch), fetches);
    const logits = results[ports.logitsOutput];
    const hidden = results[ports.hiddenOutput];
    const caches = results[ports.newKeyValuesOutput];
    if (!logits || !caches) throw new Error('The decoder graph gave no logits or no keys.');
    const data = caches.data as Float32Array;
    const newKeys: Float32Array[] = [];
    const newValues: Float32Array[] = [];
    let at = 0;
    for (const { kvHeads, headDim } of this.spec.layers) {
      const size = batch.rows * kvHeads * batch.width * headDim;
      newKeys.push(data.subarray(at, at + size));
      newValues.push(data.subarray(at + size, at + 2 * size));
      at += 2 * size;
    }
    return { logits, ...(hidden ? { hidden } : {}), newKeys, newValues };
  }

  release(): Promise<void> {
    return this.#session.release();
  }

  #feeds(batch: DecoderBatch): Record<string, Tensor> {
    const { rows, width, pastCapacity } = batch;
    const tokens = rows * width;
    const wanted = (name: string): boolean => this.#session.inputNames.includes(name);
    const feeds: Record<string, Tensor> = {
      ...tokenFeeds(batch, this.spec, this.#ropes, wanted),
      [ports.slotsInput]: new Tensor('int32', batch.logitSlots, [batch.logitSlots.length]),
      [ports.rowsWidthInput]: new Tensor('int64', BigInt64Array.of(BigInt(rows), BigInt(width)), [2]),
      [ports.splitInput]: new Tensor('int64', BigInt64Array.of(BigInt(pastCapacity), BigInt(width)), [2]),
    };
    if (this.spec.vision) {
      const { slots = [], rows: imageRows = new Float32Array(0) } = batch.images ?? {};
      const places = BigInt64Array.from(slots, (slot) => BigInt(slot));
      feeds[ports.imageSlotsInput] = new Tensor('int64', places, [slots.length, 1]);
      feeds[ports.imageRowsInput] = new Tensor('float32', imageRows, [slots.length, this.spec.hiddenSize]);
    }
    for (const [name, count] of [
      [ports.zeroPointsInput, tokens],
      [ports.slotZeroPointsInput, batch.logitSlots.length],
    ] as const)
      if (wanted(name)) feeds[name] = new Tensor('uint8', new Uint8Array(count).fill(128), [count]);
    // One new token: the heads of a group broadcast. Several: they are folded into the token axis (attention.ts has the reason).
    const fold = (group: number): number => (width > 1 ? group : 1);
    for (const { name, window, group } of this.#masks) {
      const copies = fold(group);
      const dims = [rows, ...(group > 1 ? [1, 1] : [1]), copies * width, pastCapacity + width];
      feeds[name] = new Tensor('float32', attentionMask(batch, window, copies), dims);
    }
    this.spec.layers.forEach(({ heads, kvHeads, headDim }, i) => {
      const group = heads / kvHeads;
      const dims = [rows, kvHeads, ...(group > 1 ? [1] : []), pastCapacity, headDim];
      feeds[ports.pastKeyInput(i)] = new Tensor('float32', batch.pastKeys[i] ?? new Float32Array(0), dims);
      feeds[ports.pastValueInput(i)] = new Tensor('float32', batch.pastValues[i] ?? new Float32Array(0), dims);
      if (group > 1) {
        const shape = [rows, kvHeads, group / fold(group), width * fold(group), headDim];
        feeds[ports.queryShapeInput(kvHeads, headDim)] ??= new Tensor('int64', BigInt64Array.from(shape, BigInt), [5]);
      }
    });
    return feeds;
  }
}
