// Weights of any llama shape from a seed, made while they are asked for: a model of a billion parameters needs no file to be measured.
// What it writes means nothing. Used by loadtest/gpu/main.ts.
import type { TensorInfo, TensorSource } from '../../kernels/decoder/weights.js';
import { type LlamaShape, normalTable, type TensorPlan, tensorsOf, xorshift } from '../bench/checkpoint.js';

export class RandomSource implements TensorSource {
  readonly #seed: number;
  readonly #plans: readonly TensorPlan[];
  readonly #samples: readonly [Float32Array, Float32Array];

  constructor(shape: LlamaShape, seed: number) {
    this.#seed = seed;
    this.#plans = tensorsOf(shape, 'causal');
    const random = xorshift(seed);
    this.#samples = [inFloats(normalTable(0, random)), inFloats(normalTable(1, random))];
  }

  has(name: string): boolean {
    return this.#plans.some((plan) => plan.name === name);
  }

  info(name: string): TensorInfo {
    return { shape: this.#planOf(name).shape, dtype: 'F32' };
  }

  readF32(name: string): Float32Array {
    const plan = this.#planOf(name);
    const data = new Float32Array(plan.shape.reduce((product, dim) => product * dim, 1));
    const samples = this.#samples[plan.mean];
    const random = xorshift(this.#seed + 1 + this.#plans.indexOf(plan));
    for (let i = 0; i < data.length; i += 2) {
      const word = random();
      data[i] = samples[word & 0xffff] ?? 0;
      if (i + 1 < data.length) data[i + 1] = samples[word >>> 16] ?? 0;
    }
    return data;
  }

  #planOf(name: string): TensorPlan {
    const plan = this.#plans.find((each) => each.name === name);
    if (!plan) throw new RangeError(`no tensor ${name}`);
    return plan;
  }
}

/** bf16 is the upper half of a float32. */
function inFloats(bits: Uint16Array): Float32Array {
  return new Float32Array(Uint32Array.from(bits, (half) => half << 16).buffer);
}
