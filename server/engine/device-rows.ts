// One model's forwards on the device: rows in, logits that stay there out. The counterpart of host-rows.ts; EngineModel owns one of the two.
import { disposeBank } from '../../kernels/decoder/banks.js';
import type { DeviceDecoder } from '../../kernels/decoder/device-model.js';
import type { Tensor } from '../../kernels/session.js';
import type { Transfer } from '../../kernels/webgpu/transfer.js';
import { makeBatch } from './batch.js';
import type { DeviceCache } from './device-cache.js';
import type { ForwardRow, Forwarded, RowPlace } from './place.js';
import type { LogitsBatch } from './view.js';

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
    const count = batch.logitSlots.length;
    const isThere = logits.location === 'gpu-buffer';
    const wantsNumbers = isThere && count > 0 && ordered.some(({ wantsNumbers }) => wantsNumbers);
    const every = Int32Array.from({ length: count }, (_, row) => row);
    const numbers = wantsNumbers
      ? await this.#transfer.toHost(logits, every, 'reading').catch((error: unknown) => {
          // Nobody holds them yet.
          logits.dispose();
          throw error;
        })
      : null;
    const states = hidden && { data: hidden.data as Float32Array, width: hidden.dims.at(-1) ?? 0 };
    return {
      logits: isThere
        ? new ResidentLogits(logits, numbers, states)
        : { data: logits.data as Float32Array, width: logits.dims.at(-1) ?? 0, ...(states ? { hidden: states } : {}) },
      ordered,
      tokens: batch.rows * batch.width,
    };
  }

  release(): Promise<void> {
    return this.#decoder.release();
  }
}

/** Logits on the device, given back when no view holds a row of them. Whoever makes them holds them first. */
class ResidentLogits implements LogitsBatch {
  readonly data: Tensor;
  readonly width: number;
  readonly numbers: Float32Array | null;
  readonly hidden?: NonNullable<LogitsBatch['hidden']>;
  #holders = 1;

  constructor(data: Tensor, numbers: Float32Array | null, hidden: LogitsBatch['hidden']) {
    this.data = data;
    this.width = data.dims.at(-1) ?? 0;
    this.numbers = numbers;
    if (hidden) this.hidden = hidden;
  }

  retain(): void {
    this.#holders++;
  }

  release(): void {
    if (--this.#holders === 0) this.data.dispose();
  }
}
