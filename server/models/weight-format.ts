// The names of weight formats in the config and on the command line, and the kernels' WeightFormat that each stands for.
import type { WeightFormat } from '../../kernels/decoder/format.js';
import type { DecoderSpec } from '../../kernels/decoder/spec.js';
import { AppError } from '../errors.js';
import { cutsProductsOff } from './processor.js';

export const weightsNames = ['f32', 'q8', 'q4', 'w8a8', 'f16', 'q8f16', 'q4f16'] as const;
export type WeightsName = (typeof weightsNames)[number];

/** Activations, keys and values of 16 bits: for a GPU with the feature only. */
export const computesInFloat16 = (weights: string): boolean => weights.endsWith('f16');

/** Padding the last block of a row costs bytes; up to this part of them, wider blocks still win (docs/runtime.md has the figures). */
const worthwhilePadding = 1 / 8;

/** The widest block that pads no matrix much: wide blocks are fewer scales to read, which is what one stream waits for. */
export function defaultBlockSize({ hiddenSize, layers }: DecoderSpec): number {
  const widths = [hiddenSize, ...layers.flatMap(({ heads, headDim, mlp }) => [heads * headDim, mlp.size])];
  const fits = (size: number) =>
    widths.every((width) => Math.ceil(width / size) * size <= width * (1 + worthwhilePadding));
  return [128, 64].find(fits) ?? 32;
}

export function weightFormat(weights: WeightsName, spec: DecoderSpec, blockSize?: number): WeightFormat {
  switch (weights) {
    case 'f32':
    case 'f16':
    case 'w8a8':
      if (blockSize !== undefined) throw refuseBlock(blockSize, `${weights} has no blocks: leave it out.`);
      return weights === 'w8a8' && cutsProductsOff() ? { kind: weights, unsigned: true } : { kind: weights };
    case 'q8':
    case 'q4':
    case 'q8f16':
    case 'q4f16': {
      const size = blockSize ?? defaultBlockSize(spec);
      if (![16, 32, 64, 128, 256].includes(size)) throw refuseBlock(size, 'Use 16, 32, 64, 128 or 256.');
      const kind = weights === 'q8' || weights === 'q8f16' ? 'q8' : 'q4';
      return { kind, blockSize: size, ...(computesInFloat16(weights) ? { activations: 'f16' } : {}) };
    }
    default:
      weights satisfies never;
      throw new Error('unreachable');
  }
}

const refuseBlock = (value: number, remedy: string) =>
  new AppError('invalid_value', { param: 'blockSize', problem: 'no such block size', value, remedy });
