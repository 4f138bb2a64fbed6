// What is told of a request when it is done: tokens, what was applied, times. Called by its Run, with the request's last event.
import type { Applied, DecodeEvent, DecodeRequest } from '../wire/decode.js';
import type { Choice } from './choice.js';
import type { Ledger } from './ledger.js';
import type { Pool } from './pool.js';
import type { Reads } from './reads.js';
import type { Speculation } from './speculation.js';

/** What a Run has to say. */
interface Served {
  readonly request: DecodeRequest;
  readonly ledger: Ledger;
  readonly speculation: Speculation | null;
  readonly reads: Reads | null;
  readonly pool: Pool | null;
}

export function reportOf(run: Served, choices: readonly Choice[]): DecodeEvent {
  const { request, ledger, pool } = run;
  return {
    kind: 'done',
    usage: {
      promptTokens: request.promptIds[0]?.length ?? 0,
      completionTokens: choices.reduce((sum, { answer }) => sum + answer.emitted, 0),
      cachedTokens: ledger.cachedTokens,
    },
    applied: appliedOf(run, choices),
    timings: ledger.timings(),
    ...(pool ? { pooled: pool.values() } : {}),
  };
}

function appliedOf({ request, ledger, reads, speculation }: Served, choices: readonly Choice[]): Applied {
  const counts: Record<string, number> = {};
  for (const choice of choices)
    for (const [what, count] of Object.entries(choice.counts)) counts[what] = (counts[what] ?? 0) + count;
  const search = {
    counts,
    tokens: ledger.grown,
    ...(reads?.counts ?? { read: 0, readCached: 0 }),
    ended: choices.flatMap(({ ended }) => ended ?? []),
  };
  return {
    ...ledger.report(),
    rewinds: choices.reduce((sum, { rewinds }) => sum + rewinds, 0),
    seed: request.seed,
    ...(speculation ? { speculation: speculation.report() } : {}),
    ...(request.search ? { search } : {}),
  };
}
