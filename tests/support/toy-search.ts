// Searches on the toy models, through the real engine and through its naive twin: what both must agree about.
import { expect } from 'vitest';
import { evaluate } from '../../decoders/evaluate.js';
import { viewKey, viewsOf, type Scores } from '../../decoders/expr.js';
import type { Budget, ScoreSource, SearchPlan } from '../../decoders/plan.js';
import type { Branch, Search, SearchTrace } from '../../decoders/search.js';
import { runSearch } from '../../decoders/searches/index.js';
import { planViews } from '../../decoders/views-plan.js';
import { applyEdits, applyMask, editsOf } from '../../decoders/warp.js';
import type { DecodeEvent, DecodeRequest, Frame, SearchJob } from '../../server/wire/decode.js';
import { runTwin, type TwinResult, type TwinWorld } from './search-twin.js';
import { allowedAfter } from './toy-constraint.js';
import { toyLogits } from './toy-decoder.js';
import { END, request, SALTS, toyEncoding } from './toy-engine.js';

export const noBudget: Budget = { forwards: null, timeMs: null, tokens: null };

export interface ToyPlan {
  readonly method?: string;
  readonly values?: object;
  readonly distributions: readonly Scores[];
  readonly sources?: readonly ScoreSource[];
  readonly branches?: readonly number[];
  readonly scored?: number;
  readonly budget?: Budget;
}

const frame: Frame = { before: 'abc', after: 'd', trims: false, addSpecialTokens: false };

/** A request that searches; each view has a prompt of its own. */
export function searchRequest(id: string, plan: ToyPlan, change: Partial<DecodeRequest> = {}): DecodeRequest {
  const { distributions, sources = [] } = plan;
  const whole: SearchPlan = {
    method: plan.method ?? 'of this test',
    values: plan.values ?? {},
    distributions,
    sources,
    readers: [],
    branches: plan.branches ?? distributions.map(() => 8),
    scored: plan.scored ?? 8,
    budget: plan.budget ?? noBudget,
  };
  const frames = sources.map((source) =>
    source.kind === 'judge' ? source.variants.map((_, v) => ({ ...frame, before: `ab${'cdefg'[v] ?? 'h'}` })) : [frame],
  );
  const search: SearchJob = { plan: whole, frames, messages: [] };
  const [distribution] = distributions;
  if (!distribution) throw new Error('a plan needs a distribution');
  const { views } = planViews(distribution, whole, change.speculation ?? null);
  const promptIds = views.map((_, v) => Int32Array.from({ length: 3 + v }, (_, i) => (i * 5 + 1) % END));
  return request(id, { distribution, promptIds, search, ...change });
}

/** The same world, as the twin reads it. */
export function twinWorld(req: DecodeRequest, choice = 0): TwinWorld {
  const { plan, frames } = req.search!;
  const { byDistribution } = planViews(req.distribution, plan, req.speculation ?? null);
  const promptOf = (d: number, view: number): Int32Array => req.promptIds[byDistribution[d]![view]!]!;
  return {
    scores(d, tokens) {
      const own = viewsOf(plan.distributions[d]!);
      const scores = evaluate(plan.distributions[d]!, (view) => {
        const place = own.findIndex((known) => viewKey(known) === viewKey(view));
        return toyLogits([...promptOf(d, place), ...tokens], SALTS[view.model]!);
      });
      const counts = new Map<number, number>();
      for (const id of tokens) counts.set(id, (counts.get(id) ?? 0) + 1);
      const prompt = req.sampling.repetitionPenalty === 1 ? [] : [...(req.promptIds[0] ?? [])];
      const edited = applyEdits(
        scores,
        editsOf(req.sampling, new Set(prompt), counts, tokens.length < req.minTokens ? req.stopTokenIds : []),
      );
      const { constraint, stopTokenIds } = req;
      return applyMask(edited, constraint ? allowedAfter(constraint, tokens, stopTokenIds).allowed : null);
    },
    isOver: (tokens) => (req.constraint ? allowedAfter(req.constraint, tokens, req.stopTokenIds).isOver : false),
    read(source, variant, tokens) {
      const what = plan.sources[source]!;
      if (what.kind === 'http') throw new Error('the toy has no endpoint');
      const { before, after } = frames[source]![variant]!;
      const answer = tokens.map(letterOf);
      const ids = [...toyEncoding(before + answer.join('') + after)];
      const row = toyLogits(ids, SALTS[what.model]!);
      if (what.kind === 'embedding')
        return meanOf(ids.map((_, at) => toyLogits(ids.slice(0, at + 1), SALTS[what.model]!)));
      if (what.kind !== 'judge') return [...row];
      const total = Math.log(row.reduce((sum, logit) => sum + Math.exp(logit), 0));
      return what.options.map((option) => row[toyEncoding(option)[0]!]! - total);
    },
    textOf: letterOf,
    stopTokenIds: req.stopTokenIds,
    maxTokens: req.maxTokens,
    seed: req.seed,
    choice,
    sampling: req.sampling,
  };
}

const meanOf = (rows: readonly ArrayLike<number>[]): number[] =>
  Array.from(rows[0] ?? [], (_, i) => rows.reduce((sum, row) => sum + row[i]!, 0) / rows.length);

/** The end token has none, whether or not it ends anything. */
function letterOf(id: number): string {
  return id === END ? '' : String.fromCharCode(97 + id);
}

export function twinOf(search: (trunk: Branch) => Search, req: DecodeRequest, choice = 0): TwinResult {
  return runTwin(search, twinWorld(req, choice));
}

/** What the engine told of one choice. */
export function toldOf(
  events: readonly DecodeEvent[],
  choice = 0,
): { ids: number[]; story: SearchTrace[]; last: DecodeEvent } {
  return {
    ids: events.flatMap((event) => (event.kind === 'delta' && event.choice === choice ? event.ids : [])),
    story: events.flatMap((event) => (event.kind === 'search' && event.choice === choice ? event.entries : [])),
    last: events.at(-1)!,
  };
}

/** Each choice got the tokens and the story that the naive twin gives it. Returns what they were told. */
export function expectAsTwin(
  req: DecodeRequest,
  events: readonly DecodeEvent[],
): { readonly ids: readonly number[]; readonly story: readonly SearchTrace[] }[] {
  return Array.from({ length: req.n }, (_, choice) => {
    const twin = twinOf((trunk) => runSearch(req.search!.plan, trunk), req, choice);
    const { ids, story, last } = toldOf(events, choice);
    expect(last).toMatchObject({ kind: 'done' });
    expect(ids).toEqual(emittedOf(twin, req));
    expect(story.map(({ event, chosen }) => [event, chosen])).toEqual(
      twin.traces.map(({ event, chosen }) => [event, chosen]),
    );
    return { ids, story };
  });
}

/** Without an end token: it is not told. */
export function emittedOf({ tokens }: TwinResult, { stopTokenIds }: DecodeRequest): number[] {
  return tokens.filter((id) => !stopTokenIds.includes(id));
}
