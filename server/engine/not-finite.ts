// The error of a model whose logits are not finite. One that computes in float16 has most likely left its range, which float32 does not: the
// remedy is another format, not another checkpoint. Called where nothing is left to fall back on.
import { AppError } from '../errors.js';
import { computesInFloat16 } from '../models/weight-format.js';
import type { LoadedModelInfo } from './messages.js';

export function notFinite(model: Pick<LoadedModelInfo, 'name' | 'weights'> | undefined, position: number): AppError {
  const { name, weights = '' } = model ?? {};
  if (!computesInFloat16(weights)) return new AppError('nan_logits', { model: name, position });
  const instead = inFloat32(weights);
  return new AppError('float16_overflow', { model: name, position, weights, instead });
}

/** The same weights with activations of 32 bits. */
export const inFloat32 = (weights: string): string => (weights === 'f16' ? 'f32' : weights.replace('f16', ''));
