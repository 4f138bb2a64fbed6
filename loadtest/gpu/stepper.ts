// Decode steps on the device without engine: rows of one or several models, one token each per step, and the kernel that decides. Says
// where a step's time goes. Used by loadtest/gpu/main.ts.
import type { Scores } from '../../decoders/expr.js';
import { NO_EDITS } from '../../decoders/warp.js';
import { type Bank, disposeBank } from '../../kernels/decoder/banks.js';
import type { DeviceDecoder } from '../../kernels/decoder/device-model.js';
import type { LogitKernels, SamplerRow } from '../../kernels/logits/kernels.js';
import type { Tensor } from '../../kernels/session.js';
import { bankCapacity } from '../../server/engine/device-cache.js';

export interface Decided {
  readonly distribution: Scores;
  readonly sampler: Partial<SamplerRow>;
}

export const greedyRow: SamplerRow = {
  temperature: 0,
  topK: 0,
  topP: 1,
  minP: 0,
  uniform: 0.5,
  forcedId: null,
  edits: NO_EDITS,
};

export interface StepTimes {
  /** Until the token ids are on the host. */
  readonly wholeMs: number;
  /** Until the forwards have been handed to the device: the host's part of them. */
  readonly handedMs: number;
  /** From there until the ids have come: what the device still has to do, the kernel, and the way back. */
  readonly decidedMs: number;
}

export class Stepper {
  readonly #models: readonly DeviceDecoder[];
  readonly #kernels: LogitKernels;
  readonly #decided: Decided;
  readonly #rows: number;
  #banks: Bank[] = [];
  #length: number;

  private constructor(
    models: readonly DeviceDecoder[],
    kernels: LogitKernels,
    decided: Decided,
    rows: number,
    live: number,
  ) {
    this.#models = models;
    this.#kernels = kernels;
    this.#decided = decided;
    this.#rows = rows;
    this.#length = live;
  }

  /** One model per view. Every row has `live` tokens behind it (zeros: they cost what others do) and room for `steps` more. */
  static async make(
    models: readonly DeviceDecoder[],
    kernels: LogitKernels,
    decided: Decided,
    { rows, live, steps }: { readonly rows: number; readonly live: number; readonly steps: number },
  ): Promise<Stepper> {
    const stepper = new Stepper(models, kernels, decided, rows, live);
    for (const { banks } of models) stepper.#banks.push(await banks.empty(rows, bankCapacity(live + steps)));
    return stepper;
  }

  async step(): Promise<StepTimes> {
    const started = performance.now();
    const logits: Tensor[] = [];
    for (const [m, model] of this.#models.entries()) logits.push(await this.#forward(m, model));
    const handed = performance.now();
    await this.decide(logits);
    const ended = performance.now();
    for (const tensor of logits) tensor.dispose();
    this.#length++;
    return { wholeMs: ended - started, handedMs: handed - started, decidedMs: ended - handed };
  }

  /** Logits that stay, to time kernels alone. */
  async logits(): Promise<Tensor[]> {
    const made: Tensor[] = [];
    for (const [m, model] of this.#models.entries()) made.push(await this.#forward(m, model));
    this.#length++;
    return made;
  }

  async decide(logits: readonly Tensor[], { distribution, sampler }: Decided = this.#decided): Promise<void> {
    const rows = this.#rows;
    const width = logits[0]?.dims.at(-1) ?? 0;
    await this.#kernels.run({
      distribution: Array.from({ length: rows }, () => distribution),
      views: logits.map((data) => ({ logits: { data, rows, width }, rowIndex: null })),
      vocabSize: width,
      rows: Array.from({ length: rows }, () => ({ ...greedyRow, ...sampler })),
      logprobs: false,
      topLogprobs: 0,
      full: false,
    });
  }

  release(): void {
    for (const bank of this.#banks) disposeBank(bank);
    this.#banks = [];
  }

  async #forward(m: number, model: DeviceDecoder): Promise<Tensor> {
    const before = this.#banks[m] as Bank;
    const rows = this.#rows;
    const { logits, bank } = await model.forward({
      rows,
      width: 1,
      ids: Int32Array.from({ length: rows }, (_, row) => 300 + row),
      positions: new Int32Array(rows).fill(this.#length),
      segments: Array.from({ length: rows }, () => [{ count: 1, past: this.#length, slots: null }]),
      logitSlots: Int32Array.from({ length: rows }, (_, row) => row),
      longRope: null,
      bank: before,
    });
    this.#banks[m] = bank;
    disposeBank(before);
    return logits;
  }
}
