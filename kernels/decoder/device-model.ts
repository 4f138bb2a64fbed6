// A decoder whose weights, cache and logits stay on the device: runs one forward over ragged rows of a bank and returns a fresh bank.
// What it sends is a few numbers per token (ids, places, rope rows); what comes back are hidden states and scores, where they are wanted.
// Knows no sequence; the engine's device rows own the banks. The CPU's counterpart is model.ts.
import path from 'node:path';
import { createSession, type Device, type Feeds, type Session, Tensor, type Traffic } from '../session.js';
import { modelFile } from '../write.js';
import { type Bank, type BankDType, type BankLayer, bankFeeds, bankFrom, type Banks, int64s } from './banks.js';
import { isHalf } from './format.js';
import { readDecoderFile } from './model.js';
import * as ports from './ports.js';
import { RopeTables } from './rope.js';
import type { DecoderSpec } from './spec.js';
import { tokenFeeds, type TokenBatch } from './token-feeds.js';

/** One sequence a row: no segment lies beside another. */
export interface DeviceBatch extends TokenBatch {
  /** Of these rows, in this order, with room for the new tokens. */
  readonly bank: Bank;
}

export interface DeviceOutput {
  /** [max(1, logitSlots.length), vocab], on the device; [.., labels] of a classifier, on the host. */
  readonly logits: Tensor;
  /** [.., hidden], on the host, where they were wanted. */
  readonly hidden?: Tensor;
  readonly bank: Bank;
}

interface LoadOptions {
  /** The CPU runs the same graph, for tests. */
  readonly device?: Device;
  readonly profilePrefix?: string | undefined;
}

export class DeviceDecoder {
  readonly spec: DecoderSpec;
  readonly parameters: number;
  readonly #session: Session;
  readonly banks: Banks;
  readonly #ropes: readonly RopeTables[];

  private constructor(spec: DecoderSpec, parameters: number, session: Session, banks: Banks) {
    this.spec = spec;
    this.parameters = parameters;
    this.#session = session;
    this.banks = banks;
    this.#ropes = spec.ropes.map((rope) => new RopeTables(rope));
  }

  /** Loads a folder that writeDecoder made for the device. */
  static async load(
    directory: string,
    banksOf: (layers: readonly BankLayer[], dtype: BankDType) => Banks,
    traffic?: Traffic,
    { device = 'webgpu', profilePrefix }: LoadOptions = {},
  ): Promise<DeviceDecoder> {
    const { spec, format, parameters } = readDecoderFile(directory);
    const caches = spec.layers.flatMap((_, layer) => [ports.presentKeyOutput(layer), ports.presentValueOutput(layer)]);
    const resident = spec.head.kind === 'lm' ? [ports.logitsOutput, ...caches] : caches;
    const session = await createSession(
      { path: path.join(directory, modelFile) },
      {
        threads: 1,
        device,
        resident,
        traffic,
        cause: 'numbers',
        ...(profilePrefix === undefined ? {} : { profilePrefix }),
      },
    );
    return new DeviceDecoder(spec, parameters, session, banksOf(spec.layers, isHalf(format) ? 'float16' : 'float32'));
  }

  async forward(batch: DeviceBatch): Promise<DeviceOutput> {
    const layers = this.spec.layers.length;
    const caches = Array.from({ length: layers }, (_, i) => [ports.presentKeyOutput(i), ports.presentValueOutput(i)]);
    const fetches = [ports.logitsOutput, ...(batch.wantsHidden ? [ports.hiddenOutput] : []), ...caches.flat()];
    const results = await this.#session.run(await this.#feeds(batch), fetches);
    const logits = results[ports.logitsOutput];
    const hidden = results[ports.hiddenOutput];
    if (!logits) throw new Error('The decoder graph gave no logits.');
    const bank = bankFrom(results, layers, batch.rows, batch.bank.capacity);
    return { logits, ...(hidden ? { hidden } : {}), bank };
  }

  async release(): Promise<void> {
    await this.#session.release();
    await this.banks.release();
  }

  async #feeds(batch: DeviceBatch): Promise<Feeds> {
    const { rows, width, bank } = batch;
    const { past, end } = ranges(batch);
    // The device wants at least one.
    const slots = batch.logitSlots.length > 0 ? batch.logitSlots : Int32Array.of(0);
    const perRow = (data: Int32Array): Tensor => new Tensor('int32', data, [rows, 1, 1, 1]);
    const wanted = (name: string): boolean => this.#session.inputNames.includes(name);
    const feeds: Record<string, Tensor> = {
      ...tokenFeeds(batch, this.spec, this.#ropes, wanted),
      [ports.slotsInput]: new Tensor('int32', slots, [slots.length]),
      [ports.slotNumbersInput]: await this.banks.slotNumbers(bank.capacity),
      [ports.firstFreeInput]: perRow(past),
      [ports.lastFreeInput]: perRow(end),
      ...bankFeeds(bank),
    };
    for (const { heads, kvHeads, headDim } of this.spec.layers) {
      const all = heads + 2 * kvHeads;
      feeds[ports.headsShapeInput(all, headDim)] ??= int64s([rows, width, all, headDim]);
      const group = heads / kvHeads;
      feeds[ports.queryPlacesInput(group)] ??= queryPlaces(batch, group);
    }
    return feeds;
  }
}

/** A query looks as far as itself; padding as far as the row's last token. */
function queryPlaces(batch: DeviceBatch, group: number): Tensor {
  const { rows, width } = batch;
  const { past, end } = ranges(batch);
  const lines = group * width;
  const places = new Int32Array(rows * lines);
  for (let row = 0; row < rows; row++)
    for (let line = 0; line < lines; line++) {
      places[row * lines + line] = Math.min((past[row] ?? 0) + (line % width), (end[row] ?? 1) - 1);
    }
  return new Tensor('int32', places, [rows, 1, lines, 1]);
}

/** [B] each: tokens of a row's past, and with its new ones. */
function ranges({ segments }: DeviceBatch): { readonly past: Int32Array; readonly end: Int32Array } {
  const past = Int32Array.from(segments, ([only]) => only?.past ?? 0);
  return { past, end: Int32Array.from(segments, ([only]) => (only?.past ?? 0) + (only?.count ?? 0)) };
}
