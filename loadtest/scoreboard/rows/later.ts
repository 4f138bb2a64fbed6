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
    'transfer_q',
    'Chakraborty et al. 2024 (arXiv:2405.20495): average reward up to 1.45 × the best decoding baseline, 67 % win or tie.',
  ),
  later(
    'rain',
    'Li et al. 2024 (arXiv:2309.07124): harmless 82 → 97 % with helpfulness kept, attack success 94 → 19 %, at about 4 × the time.',
  ),
  later(
    'dcd',
    'arXiv:2504.08809: hallucination down as far as by DPO, general ability kept, better than handcrafted VCD.',
  ),
  later(
    'best_of_n',
    'Eisenstein et al. 2023 (arXiv:2312.09244): reward ensembles mitigate reward hacking, and do not remove it.',
  ),
];
