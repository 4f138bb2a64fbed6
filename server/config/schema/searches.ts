// The sections `endpoints` and `search`: what judges answers from outside, and how far methods that look ahead may go.
import { Type } from 'typebox';
import { closed } from './common.js';

export const EndpointEntry = Type.Object(
  {
    url: Type.String({
      pattern: '^https?://',
      description:
        'Where answers are scored: POST {"messages", "answer"}, answered by {"score": number} or {"scores": [numbers]}.',
    }),
    timeoutMs: Type.Integer({ default: 5000, minimum: 1, description: 'Longest time for one answer (ms).' }),
    headers: Type.Record(Type.String(), Type.String(), {
      default: {},
      description: 'Sent with every request, e.g. an authorization.',
    }),
  },
  { ...closed, description: 'One scoring service.' },
);

export const SearchSettings = Type.Object(
  {
    onScorerFailure: Type.Enum(['fail', 'plain'], {
      default: 'fail',
      description:
        'When a scorer gives no number or answers too late: fail ends the request with an error; plain decodes the rest of the answer without the search, and the reply says so.',
    }),
    maxBranches: Type.Integer({
      default: 64,
      minimum: 1,
      maximum: 4096,
      description: 'Branches of one distribution that a search may keep at once (branches).',
    }),
  },
  { ...closed, default: {}, description: 'Methods that look ahead, judge and go back.' },
);
