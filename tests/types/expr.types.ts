// Compile-time tests: nonsense over distributions does not type-check. Checked by `npm run check`; nothing here runs.
import { fused, linear, logits, logSoftmax, masked, maximum, nucleus, plausible, where } from '../../decoders/expr.js';
import type { Logprobs } from '../../decoders/expr.js';

const raw = logits('large');
const normal = logSoftmax(raw);
const mask = plausible(normal, 0.1);

// What makes sense.
linear([
  [1, raw],
  [-1, normal],
]);
masked(raw, mask);
where(nucleus(normal, 0.9), raw, normal);
maximum([normal, logSoftmax(linear([[1, raw]]))]);

linear([
  [1, normal],
  // @ts-expect-error a mask minus a log-probability
  [-1, mask],
]);
// @ts-expect-error a mask is no distribution to normalise
logSoftmax(mask);
// @ts-expect-error the union of raw logits compares scales that mean nothing
maximum([raw, normal]);
// @ts-expect-error a threshold over raw logits means nothing
plausible(raw, 0.1);
// @ts-expect-error a nucleus needs probabilities
nucleus(linear([[1, normal]]), 0.9);
// @ts-expect-error scores are no mask
masked(raw, normal);
// @ts-expect-error a mask is no branch
where(mask, mask, raw);
// @ts-expect-error what a mask leaves over is not normalised
const stillNormal: Logprobs = masked(normal, mask);
void stillNormal;
// @ts-expect-error a view is no expression
linear([[1, { model: 'large', prompt: 'default' }]]);
fused({ base: normal, reference: normal, experts: [normal], search: 'single', bounds: [2] });
// @ts-expect-error divergences need log-probabilities
fused({ base: raw, reference: normal, experts: [normal], search: 'single', bounds: [2] });
// @ts-expect-error there are two searches
fused({ base: normal, reference: normal, experts: [normal], search: 'grid', bounds: [2] });
