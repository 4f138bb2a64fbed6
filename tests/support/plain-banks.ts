// Banks (kernels/decoder/banks.ts) over plain arrays: what a gathered bank has to hold, said as loops. For tests of the device cache, which
// needs no device for its bookkeeping; tests/gpu/banks.test.ts holds the device's own banks to it.
import type { Bank, BankLayer, Picked } from '../../kernels/decoder/banks.js';
import type { Tensor } from '../../kernels/session.js';
import type { BankMaker } from '../../server/engine/device-cache.js';

/** Per layer: keys [rows, kvHeads, headDim, capacity], values [rows, kvHeads, capacity, headDim]. */

type Kind = 'keys' | 'values';

export class PlainBanks implements BankMaker {
  readonly #layers: readonly BankLayer[];
  readonly itemBytes = 4;
  /** Made and not disposed of. */
  readonly live = new Set<Bank>();
  gathers = 0;

  constructor(layers: readonly BankLayer[]) {
    this.#layers = layers;
  }

  empty(rows: number, capacity: number): Promise<Bank> {
    return Promise.resolve(this.make(rows, capacity));
  }

  gather(parts: readonly Picked[], rows: number, capacity: number): Promise<Bank> {
    this.gathers++;
    const made = this.make(rows, capacity);
    for (const { bank, index, lengths } of parts) {
      if (!this.live.has(bank)) throw new Error('gathered from a bank that is gone');
      this.each((kind, layer, head, dim) => {
        for (let row = 0; row < rows; row++)
          for (let slot = 0; slot < (lengths[row] ?? 0); slot++)
            this.write(
              made,
              kind,
              layer,
              [row, head, dim, slot],
              this.read(bank, kind, layer, [index[row] ?? 0, head, dim, slot]),
            );
      });
    }
    return Promise.resolve(made);
  }

  /** Of zeros. */
  make(rows: number, capacity: number): Bank {
    const array = (layer: BankLayer): Tensor => {
      const data = new Float32Array(rows * layer.kvHeads * layer.headDim * capacity);
      return { data, dispose: () => this.live.delete(bank) } as unknown as Tensor;
    };
    const bank: Bank = { rows, capacity, keys: this.#layers.map(array), values: this.#layers.map(array) };
    this.live.add(bank);
    return bank;
  }

  each(visit: (kind: Kind, layer: number, head: number, dim: number) => void): void {
    for (const kind of ['keys', 'values'] as const)
      this.#layers.forEach(({ kvHeads, headDim }, layer) => {
        for (let head = 0; head < kvHeads; head++)
          for (let dim = 0; dim < headDim; dim++) visit(kind, layer, head, dim);
      });
  }

  read(bank: Bank, kind: Kind, layer: number, place: Place): number {
    return (bank[kind][layer]!.data as Float32Array)[this.#at(bank, kind, layer, place)]!;
  }

  write(bank: Bank, kind: Kind, layer: number, place: Place, value: number): void {
    (bank[kind][layer]!.data as Float32Array)[this.#at(bank, kind, layer, place)] = value;
  }

  #at({ capacity }: Bank, kind: Kind, layer: number, [row, head, dim, slot]: Place): number {
    const { kvHeads, headDim } = this.#layers[layer]!;
    const line = row * kvHeads + head;
    return kind === 'keys' ? (line * headDim + dim) * capacity + slot : (line * capacity + slot) * headDim + dim;
  }
}

/** Row, head, dimension, slot. */
type Place = readonly [number, number, number, number];
