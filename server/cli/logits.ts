// trimtab logits: the raw scores of one checkpoint for given token ids, in this process and without a server. For checking a
// conversion against another implementation, and a quantised one against f32.
import { DecoderModel } from '../../kernels/decoder/model.js';
import type { WeightsName } from '../models/weight-format.js';
import { refuseWeights } from '../engine/device.js';
import { makeBatch } from '../engine/batch.js';
import { RowCache } from '../engine/cache.js';
import type { CacheRow } from '../engine/row-store.js';
import { AppError } from '../errors.js';
import { ensureArtifact } from '../models/artifacts.js';
import type { Progress } from './progress.js';
import { table, type Output } from './terminal.js';

/** New tokens per forward: bounds the memory of attention scores over a long prompt. */
const CHUNK = 256;

export interface LogitsResult {
  /** One row per given id: the scores of what follows it. */
  readonly logits: readonly Float32Array[];
  /** Likeliest continuation, not stopping at any end token. */
  readonly greedy: readonly number[];
}

/** One sequence through one decoder. */
class Reading {
  readonly #model: DecoderModel;
  readonly #cache: RowCache;
  readonly #row: CacheRow;
  #longRope = false;

  constructor(model: DecoderModel) {
    this.#model = model;
    const layers = model.spec.layers.map(({ kvHeads, headDim }) => ({ kvHeads, headDim }));
    this.#cache = new RowCache(layers, { maxRows: 1, bytes: Infinity });
    this.#row = this.#cache.claim();
  }

  /** Takes in what of `ids` is new; the scores after each of them from index `from` on. */
  async read(ids: readonly number[], from: number): Promise<Float32Array[]> {
    const { ropeSwitchLength } = this.#model.spec;
    const longRope = ropeSwitchLength !== null && ids.length > ropeSwitchLength;
    // Rope factors that depend on the total length change every key: the cache is computed anew.
    if (longRope !== this.#longRope) this.#cache.truncate(this.#row, 0);
    this.#longRope = longRope;
    const rows: Float32Array[] = [];
    while (this.#row.length < ids.length) {
      const start = this.#row.length;
      rows.push(...(await this.#forward(ids.slice(start, start + CHUNK), Math.max(0, from - start))));
    }
    return rows;
  }

  async #forward(ids: readonly number[], logitsFrom: number): Promise<Float32Array[]> {
    this.#cache.reserve([this.#row], [ids.length]);
    const row = {
      ids,
      pastLength: this.#row.length,
      logitsFrom: Math.min(logitsFrom, ids.length),
      longRope: this.#longRope,
    };
    const past = this.#cache.slice(0, 1);
    const batch = {
      ...makeBatch([[row]], () => null),
      pastCapacity: past.capacity,
      pastKeys: past.keys,
      pastValues: past.values,
    };
    const { logits, newKeys, newValues } = await this.#model.forward(batch);
    this.#cache.append(this.#row, { keys: newKeys, values: newValues, width: batch.width }, 0, 0, ids.length);
    const data = logits.data as Float32Array;
    const count = ids.length - row.logitsFrom;
    const width = count === 0 ? 0 : data.length / count;
    return Array.from({ length: count }, (_, i) => data.slice(i * width, (i + 1) * width));
  }
}

/** The lowest id among equals. */
export function argmax(scores: Float32Array): number {
  let best = 0;
  for (let id = 1; id < scores.length; id++) if ((scores[id] ?? -Infinity) > (scores[best] ?? -Infinity)) best = id;
  return best;
}

export async function computeLogits(
  model: DecoderModel,
  ids: readonly number[],
  greedy: number,
): Promise<LogitsResult> {
  const { vocabSize, contextLength, head } = model.spec;
  ids.forEach((id) => {
    if (id < 0 || id >= vocabSize) {
      throw new AppError('token_out_of_range', {
        param: '--ids',
        value: id,
        model: 'the checkpoint',
        last: vocabSize - 1,
      });
    }
  });
  if (ids.length + greedy > contextLength) {
    throw new AppError('context_length_exceeded', {
      promptTokens: ids.length,
      maxTokens: greedy,
      model: 'the checkpoint',
      contextLength,
    });
  }
  if (greedy > 0 && head.kind !== 'lm') {
    throw new AppError('not_supported', {
      param: '--greedy',
      value: greedy,
      remedy: 'A reward model gives scores and predicts no tokens: leave --greedy out.',
    });
  }
  const reading = new Reading(model);
  const logits = await reading.read(ids, 0);
  const sequence = [...ids];
  let last = logits.at(-1);
  for (let step = 0; step < greedy && last !== undefined; step++) {
    sequence.push(argmax(last));
    // The last continuation needs no forward of its own.
    if (step + 1 < greedy) last = (await reading.read(sequence, sequence.length - 1)).at(-1);
  }
  return { logits, greedy: sequence.slice(ids.length) };
}

export interface LogitsOptions {
  readonly weights: WeightsName;
  readonly ids: readonly number[];
  readonly greedy: number;
  readonly json: boolean;
  readonly threads: number;
  readonly artifactDirectory: string;
}

export async function logitsCommand(
  directory: string,
  options: LogitsOptions,
  stdout: Output,
  progress: Progress,
): Promise<void> {
  refuseWeights({ name: directory, weights: options.weights }, null);
  const artifact = await ensureArtifact({
    path: directory,
    weights: options.weights,
    artifactDirectory: options.artifactDirectory,
    onProgress: (stage, fraction) => progress.report(stage, fraction),
  });
  progress.clear();
  const model = await DecoderModel.load(artifact.directory, { threads: options.threads });
  try {
    const { logits, greedy } = await computeLogits(model, options.ids, options.greedy);
    if (options.json) {
      // Row by row: a long input times a large vocabulary is more than one string can hold.
      stdout.write('{"logits":[');
      logits.forEach((row, i) => stdout.write(`${i === 0 ? '' : ','}${JSON.stringify(Array.from(row))}`));
      stdout.write(`],"greedy":${JSON.stringify(greedy)}}\n`);
      return;
    }
    const best = (row: Float32Array): string =>
      [...row.keys()]
        .sort((a, b) => (row[b] ?? 0) - (row[a] ?? 0))
        .slice(0, 5)
        .map((id) => `${id}: ${(row[id] ?? 0).toFixed(4)}`)
        .join('   ');
    stdout.write(`${table(logits.map((row, i) => [`after ${options.ids[i]}`, best(row)]))}\n`);
    if (greedy.length > 0) stdout.write(`greedy: ${greedy.join(',')}\n`);
  } finally {
    await model.release();
  }
}
