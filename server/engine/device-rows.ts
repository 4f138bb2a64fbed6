// One model's forwards on the device: rows in, logits that stay there out. The counterpart of host-rows.ts; EngineModel owns one of the two.
import { disposeBank } from '../../kernels/decoder/banks.js';
import type { DeviceDecoder } from '../../kernels/decoder/device-model.js';
import type { Tensor } from '../../kernels/session.js';
import type { Transfer } from '../../kernels/webgpu/transfer.js';
import { makeBatch } from './batch.js';
import type { DeviceCache } from './device-cache.js';
import { HeldLogits } from './held-logits.js';
import type { ForwardRow, Forwarded, RowPlace } from './place.js';

export class DeviceRows implements RowPlace {
  readonly cache: DeviceCache;
  readonly #decoder: DeviceDecoder;
  readonly #transfer: Transfer;

  constructor(decoder: DeviceDecoder, cache: DeviceCache, transfer: Transfer) {
    this.#decoder = decoder;
    this.cache = cache;
    this.#transfer = transfer;
  }

  async forward(rows: readonly ForwardRow[]): Promise<Forwarded> {
    await this.cache.compact();
    const byRow = new Map(rows.map((row) => [row.row, row]));
    const order = this.cache.ordered(rows.map(({ row }) => row));
    const ordered = order.map((row) => byRow.get(row) as ForwardRow);
    const added = ordered.map(({ ids }) => ids.length);
    const { bank, isOwn } = await this.cache.bankFor(order, added);
    const batch = makeBatch(
      ordered.map((row) => [row]),
      () => null,
    );
    const output = await this.#decoder.forward({ ...batch, bank }).finally(() => {
      if (isOwn) disposeBank(bank);
    });
    this.cache.commit(order, added, output.bank);
    const { logits, hidden } = output;
    const isThere = logits.location === 'gpu-buffer';
    const logprobs = isThere
      ? await this.#asked(logits, ordered).catch((error: unknown) => {
          // Nobody holds them yet.
          logits.dispose();
          throw error;
        })
      : new Map<number, readonly number[]>();
    const states = hidden && { data: hidden.data as Float32Array, width: hidden.dims.at(-1) ?? 0 };
    const made = { width: logits.dims.at(-1) ?? 0, ...(states ? { hidden: states } : {}) };
    return {
      logits: isThere
        ? new HeldLogits({ ...made, data: logits, logprobs }, (tensor) => tensor.dispose())
        : { ...made, data: logits.data as Float32Array },
      ordered,
      tokens: batch.rows * batch.width,
    };
  }

  release(): Promise<void> {
    return this.#decoder.release();
  }

  /** What the host was asked to look at, by row of the logits. Askers with equally many tokens share a call. */
  async #asked(logits: Tensor, ordered: readonly ForwardRow[]): Promise<ReadonlyMap<number, readonly number[]>> {
    let end = 0;
    const askers = ordered.flatMap(({ ids, logitsFrom, asked }) => {
      end += ids.length - logitsFrom;
      return asked && ids.length > logitsFrom ? [{ row: end - 1, asked }] : [];
    });
    const told = new Map<number, readonly number[]>();
    for (const each of new Set(askers.map(({ asked }) => asked.ids.length))) {
      const alike = askers.filter(({ asked }) => asked.ids.length === each);
      const numbers = await this.#transfer.logprobs(
        logits,
        {
          rows: Int32Array.from(alike, ({ row }) => row),
          ids: Int32Array.from(alike.flatMap(({ asked }) => asked.ids)),
          // Of one model all.
          vocabSize: alike[0]?.asked.vocabSize ?? 0,
        },
        'reading',
      );
      alike.forEach(({ row }, i) => told.set(row, [...numbers.subarray(i * each, (i + 1) * each)]));
    }
    return told;
  }
}
