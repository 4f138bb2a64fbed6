// The names of weight formats in the config and on the command line, and the kernels' WeightFormat that each stands for.
import type { WeightFormat } from '../../kernels/decoder/format.js';
import { AppError } from '../errors.js';

export const weightsNames = ['f32', 'q8', 'q4', 'w8a8'] as const;
export type WeightsName = (typeof weightsNames)[number];

/** Weights per scale where nothing else is asked for. */
export const defaultBlockSize = { q8: 128, q4: 64 } as const;

export function weightFormat(weights: WeightsName, blockSize?: number): WeightFormat {
  switch (weights) {
    case 'f32':
    case 'w8a8':
      if (blockSize !== undefined) throw refuseBlock(blockSize, `${weights} has no blocks: leave it out.`);
      return { kind: weights };
    case 'q8':
    case 'q4': {
      const size = blockSize ?? defaultBlockSize[weights];
      if (![16, 32, 64, 128, 256].includes(size)) throw refuseBlock(size, 'Use 16, 32, 64, 128 or 256.');
      return { kind: weights, blockSize: size };
    }
    default:
      weights satisfies never;
      throw new Error('unreachable');
  }
}

const refuseBlock = (value: number, remedy: string) =>
  new AppError('invalid_value', { param: 'blockSize', problem: 'no such block size', value, remedy });
