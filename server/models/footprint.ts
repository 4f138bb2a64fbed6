// What a model is and what it will take, from its files alone: nothing is converted or loaded. Called by the commands models and doctor.
import type { ModelSettings } from '../engine/messages.js';
import { convertedBytes } from './artifacts.js';
import { readCheckpoint } from './checkpoint.js';
import { SafetensorsSource } from './safetensors.js';
import { computesInFloat16, weightFormat } from './weight-format.js';

export interface Footprint {
  readonly family: string;
  readonly parameters: number;
  readonly contextLength: number;
  /** Measured where it was converted before, otherwise estimated. */
  readonly weightBytes: number;
  readonly isConverted: boolean;
  readonly cacheBytesPerToken: number;
  /** Names of a classification head's scores; null for a model that predicts tokens. */
  readonly heads: readonly string[] | null;
}

export function footprintOf({ path, weights, contextLength }: ModelSettings, artifactDirectory: string): Footprint {
  const { spec } = readCheckpoint(path);
  const source = SafetensorsSource.open(path);
  try {
    let parameters = 0;
    let bytes = 0;
    const format = weightFormat(weights, spec);
    for (const name of source.names()) {
      const { shape } = source.info(name);
      const count = shape.reduce((product, length) => product * length, 1);
      parameters += count;
      // Norms and biases are small in every format.
      bytes += count * (shape.length < 2 ? 4 : bytesPerWeight(format));
    }
    const converted = convertedBytes(path, weights, artifactDirectory);
    return {
      family: spec.family,
      parameters,
      contextLength: Math.min(contextLength ?? Infinity, spec.contextLength),
      weightBytes: converted ?? Math.round(bytes),
      isConverted: converted !== null,
      cacheBytesPerToken:
        spec.layers.reduce((sum, { kvHeads, headDim }) => sum + 2 * kvHeads * headDim, 0) *
        (computesInFloat16(weights) ? 2 : 4),
      heads: spec.head.kind === 'classification' ? spec.head.labels : null,
    };
  } finally {
    source.close();
  }
}

function bytesPerWeight(format: ReturnType<typeof weightFormat>): number {
  switch (format.kind) {
    case 'f32':
      return 4;
    case 'f16':
      return 2;
    case 'w8a8':
      return 1;
    case 'q8':
      return 1 + (format.activations ? 2 : 4) / format.blockSize;
    case 'q4':
      return 0.5 + (format.activations ? 2 : 4) / format.blockSize;
    default:
      return format satisfies never;
  }
}
