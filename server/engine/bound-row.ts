// A position that can be decided, and the row of a kernel call that it becomes: its formula, its logits, its sampler. Called by fuse.ts.
import { logits as plainLogits, structureKey, type Scores } from '../../decoders/expr.js';
import { uniform } from '../../decoders/random.js';
import { draftUniforms } from '../../decoders/speculation.js';
import { samplerClass, type SamplerRow } from '../../kernels/logits/kernels.js';
import type { LogprobsParams } from '../wire/decode.js';
import type { Run } from './run.js';
import type { Decision, Sequence } from './sequence.js';
import type { LogitsRef } from './view.js';

/** A position of a sequence whose logits are all there. */
export interface ReadyRow {
  readonly run: Run;
  readonly sequence: Sequence;
  readonly position: number;
  /** Of the branch. */
  readonly distribution: Scores;
  /** The token whose probability is asked for, instead of choosing one. */
  readonly forcedId: number | null;
  /** How many drafts of the sequence come before it. */
  readonly ahead: number;
  /** One per view of the distribution. */
  readonly logits: readonly LogitsRef[];
  /** Of the draft model, where the request has one. */
  readonly draft: LogitsRef | null;
  /** The next token is only asked about, not drawn. */
  readonly looksOnly: boolean;
  /** What is to be told of the outcome. */
  readonly tell: LogprobsParams | null;
}

export interface Bound {
  readonly ready: ReadyRow;
  readonly distribution: Scores;
  readonly logits: readonly LogitsRef[];
  readonly sampler: SamplerRow;
  /** Where the row's proposal was drawn from; null for one that was looked up. */
  readonly draftLogits: LogitsRef | null;
  readonly fallback: Decision['fallback'];
  /** Null for a proposal: nobody sees it. */
  readonly tell: LogprobsParams | null;
  readonly traced: boolean;
}

/** One kernel serves all drafts: which model it is makes no difference to it. */
const DRAFT = plainLogits('draft');

/** `proposal`: the token by way of which a request that speculates decides. */
export function bind(ready: ReadyRow, proposal: number | null): Bound {
  const { request } = ready.run;
  const isProposed = proposal !== null && draws(ready);
  const uniforms = draftUniforms(request.seed, ready.sequence.nature.stream, ready.position);
  return {
    ready,
    distribution: ready.distribution,
    logits: ready.logits,
    draftLogits: isProposed ? ready.draft : null,
    sampler: {
      ...samplerOf(ready),
      forcedId: ready.forcedId,
      draft: isProposed ? { id: proposal, accept: uniforms.accept, residual: uniforms.residual } : null,
    },
    fallback: null,
    tell: ready.tell,
    traced: traces(ready),
  };
}

/** The same sampler over the draft's own distribution. */
export function bindDraft(ready: ReadyRow, logits: LogitsRef): Bound {
  return {
    ready,
    distribution: DRAFT,
    logits: [logits],
    draftLogits: null,
    sampler: samplerOf(ready),
    fallback: null,
    tell: null,
    traced: false,
  };
}

function samplerOf({ run: { request }, sequence, position, ahead, looksOnly }: ReadyRow): SamplerRow {
  const { temperature: own, topK, topP, minP } = sequence.nature.sampling;
  const temperature = looksOnly ? 0 : own;
  return {
    temperature,
    topK,
    topP,
    minP,
    uniform: temperature === 0 ? 0 : uniform(request.seed, sequence.nature.stream, position),
    forcedId: null,
    // A prompt is scored as it is; what a search gives is scored as what it might have drawn.
    edits: position >= 0 ? sequence.edits(ahead) : { ids: [], add: [], repetition: [] },
    allowed: position >= 0 ? (sequence.allowed(ahead)?.allowed ?? null) : null,
  };
}

/** Prompt and answer with the first `ahead` drafts, as the first view sees them. */
export function knownIds({ views, tokens, drafts }: Sequence, ahead: number): number[] {
  return [...(views[0]?.promptIds ?? []), ...tokens, ...drafts.slice(0, ahead)];
}

function traces({ run: { request }, sequence, forcedId, ahead, looksOnly }: ReadyRow): boolean {
  const limit = request.search ? 0 : (request.traceLimit ?? 0);
  return forcedId === null && !looksOnly && limit > sequence.emitted + ahead;
}

/** Is the token drawn, by way of a proposal, from a law that drafts are made for? */
export function draws({ run, sequence, forcedId, looksOnly }: ReadyRow): boolean {
  const { distribution, sampling } = sequence.nature;
  return run.speculation !== null && distribution === 0 && forcedId === null && !looksOnly && sampling.temperature > 0;
}

/** Only the answer's tokens have the whole vocabulary told. */
export function tellsAll({ ready, tell }: Bound): boolean {
  return ready.position >= 0 && (tell?.full ?? false);
}

/** Rows of one key share one kernel run. */
export function groupKey(bound: Bound): string {
  const { ready, distribution, sampler, logits, draftLogits, tell, traced } = bound;
  const { vocabSize } = ready.run.request;
  const extras = `${tell && tell.top > 0 ? 'top' : ''}${tellsAll(bound) ? 'full' : ''}`;
  const widths = logits.map(({ batch }) => batch.width).join(',');
  return [
    structureKey(distribution),
    samplerClass(sampler),
    ready.forcedId === null ? '' : 'forced',
    sampler.draft ? `draft ${draftLogits?.batch.width ?? 'looked up'}` : '',
    traced ? 'trace' : '',
    sampler.allowed ? 'masked' : '',
    extras,
    vocabSize,
    widths,
  ].join('|');
}
