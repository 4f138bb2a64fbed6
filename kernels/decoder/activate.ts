// The activations that a spec may name, as operators. Used by both graph builders.
import type { Value } from '../graph.js';
import * as ops from '../ops.js';
import type { Activation } from './spec.js';

export function activate(x: Value, activation: Activation): Value {
  switch (activation) {
    case 'silu':
      return ops.QuickGelu(x, { alpha: 1 });
    case 'quick_gelu':
      return ops.QuickGelu(x, { alpha: 1.702 });
    case 'gelu':
      return ops.Gelu(x, { approximate: 'none' });
    case 'gelu_tanh':
      return ops.Gelu(x, { approximate: 'tanh' });
    case 'relu':
      return ops.Relu(x);
    default:
      return activation satisfies never;
  }
}
