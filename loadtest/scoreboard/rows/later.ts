// Methods that have a claim and no measurement here yet. An issue that builds one moves its line into a file of its own.
import type { RowModule } from '../figure.js';

const later = (method: string, claim: string, decoder: string = method): RowModule => ({
  method,
  claim,
  models: [],
  decoders: [decoder],
  measure: null,
});

export const laterRows: readonly RowModule[] = [
  later(
    'dcd',
    'arXiv:2504.08809: hallucination down as far as by DPO, general ability kept, better than handcrafted VCD.',
  ),
];
