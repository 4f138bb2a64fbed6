// A world so small that everything about it can be enumerated: next-token laws as tables over prefixes, rewards as tables over answers. Searches
// run on it through the naive twin; what they must come to is worked out beside them, from all the answers there are.
import { logits } from '../../decoders/expr.js';
import type { FieldContext } from '../../decoders/fields.js';
import type { Scorer } from '../../decoders/plan.js';
import { uniform } from '../../decoders/random.js';
import { normalise } from '../../decoders/rows.js';
import { scorers } from '../../decoders/scorers/index.js';
import { all, read, type SearchTrace } from '../../decoders/search.js';
import { defineScorer, type PlanContext, type ScorerMethod, type SearchMethod } from '../../decoders/search-method.js';
import type { Warp } from '../../decoders/warp.js';
import { runTwin, type TwinResult, type TwinWorld } from './search-twin.js';

export const GREEDY: Warp = { temperature: 0, topK: 0, topP: 1, minP: 0 };
export const DRAWN: Warp = { temperature: 1, topK: 0, topP: 1, minP: 0 };

export type Table = (tokens: readonly number[]) => Float64Array;
export type Reward = (tokens: readonly number[]) => number;

export interface Toy {
  readonly vocabSize: number;
  readonly maxTokens: number;
  readonly models: Readonly<Record<string, Table>>;
  /** By number of source. */
  readonly rewards: readonly Reward[];
}

/** The last id ends an answer. */
export const endOf = ({ vocabSize }: Pick<Toy, 'vocabSize'>): number => vocabSize - 1;

/** Random logits for every prefix, in [−spread, spread]. */
export function randomTable(salt: number, vocabSize: number, spread = 2): Table {
  return (tokens) =>
    Float64Array.from({ length: vocabSize }, (_, id) => spread * (2 * uniform(salt, hashOf(tokens), id) - 1));
}

/** A random reward for every answer, in [least, most]. */
export function randomReward(salt: number, least = -1, most = 1): Reward {
  return (tokens) => least + (most - least) * uniform(salt, hashOf(tokens), 1000);
}

function hashOf(tokens: readonly number[]): number {
  return tokens.reduce((hash, token) => (Math.imul(hash, 31) + token + 1) | 0, 17);
}

export interface ToyRun extends TwinResult {
  readonly plan: Readonly<{ branches: readonly number[]; scored: number }>;
}

/** Runs a search as a request would write it; a scorer is written as its built value, or as what builds it. */
export function runToy(method: SearchMethod, spec: object, toy: Toy, world: Partial<TwinWorld> = {}): ToyRun {
  const { planned, models } = planToy(method, spec);
  const result = runTwin((trunk) => method.run(trunk, structuredClone(planned.values)), {
    scores: (distribution, tokens) => toy.models[models[distribution]!]!(tokens),
    read: (source, _, tokens) => [toy.rewards[source]!(tokens)],
    stopTokenIds: [endOf(toy)],
    maxTokens: toy.maxTokens,
    sampling: GREEDY,
    ...world,
  });
  return { ...result, plan: planned };
}

export function planToy(
  method: SearchMethod,
  spec: object,
): { planned: ReturnType<SearchMethod['plan']>; models: readonly string[] } {
  const models: string[] = [];
  const numberOf = (name: string): number => (models.includes(name) ? models.indexOf(name) : models.push(name) - 1);
  const fields: FieldContext = {
    allowNegativeWeights: true,
    rewardModels: [],
    endpoints: [],
    member: (value) => ({ scores: logits(value as string), effective: value as string }),
    scorer: (value) => ({
      effective: null,
      build: (planning) =>
        typeof value === 'function' ? (value as (planning: PlanContext) => Scorer)(planning) : (value as Scorer),
    }),
  };
  const context: PlanContext = {
    allowNegativeWeights: true,
    directionCard: () => undefined,
    distribution: (scores) => numberOf((scores as { view: { model: string } }).view.model),
    source: () => 0,
    rewardModel: () => ({ heads: [], statistics: null }),
    forksToScore: () => undefined,
    limits: { branches: 1000 },
  };
  const given = spec as Record<string, unknown>;
  const unknown = Object.keys(given).find((name) => !(name in method.fields));
  if (unknown !== undefined) throw new Error(`no field ${unknown}`);
  const values = Object.fromEntries(
    Object.entries(method.fields).map(([name, field]) => {
      const value = name in given ? field.read(given[name], name, fields) : field.fallback;
      if (value === undefined) throw new Error(`${name} is missing`);
      return [name, value];
    }),
  );
  return { planned: method.plan(values, context), models };
}

/** Reads one number from a source. `range` is what it claims of it. */
interface TableScorer extends Scorer {
  readonly kind: 'table';
  readonly source: number;
  readonly range: readonly [number, number] | null;
}

const tableMethod = defineScorer({
  kind: 'table',
  summary: '',
  equation: '',
  paper: '',
  fields: {},
  build: (): TableScorer => table(0),
  *score({ source }: TableScorer, branches) {
    return (yield* all(branches.map((branch) => read(source, branch)))).map(([number = NaN]) => number);
  },
  range: ({ range }) => range,
});
(scorers as ScorerMethod[]).push(tableMethod);

export function table(source: number, range: readonly [number, number] | null = null): TableScorer {
  return { kind: 'table', source, range };
}

/** Probabilities of the next token. */
export function lawAfter(model: Table, tokens: readonly number[]): Float64Array {
  return normalise(model(tokens)).map(Math.exp);
}

export interface Weighted {
  readonly tokens: readonly number[];
  readonly probability: number;
}

/** Every whole answer that begins so, with its probability given that. */
export function completions(toy: Toy, model: Table, start: readonly number[]): Weighted[] {
  if (start.at(-1) === endOf(toy) || start.length >= toy.maxTokens) return [{ tokens: start, probability: 1 }];
  return [...lawAfter(model, start)].flatMap((first, id) =>
    completions(toy, model, [...start, id]).map(({ tokens, probability }) => ({
      tokens,
      probability: probability * first,
    })),
  );
}

export function expectation(answers: readonly Weighted[], of: Reward): number {
  return answers.reduce((sum, { tokens, probability }) => sum + probability * of(tokens), 0);
}

/** At most so many of the likeliest tokens after these. */
export function greedyFrom(toy: Toy, model: Table, start: readonly number[], count: number): number[] {
  const tokens = [...start];
  for (let left = count; left > 0 && tokens.at(-1) !== endOf(toy) && tokens.length < toy.maxTokens; left--) {
    const scores = model(tokens);
    tokens.push(scores.indexOf(Math.max(...scores)));
  }
  return tokens;
}

export interface ToldCandidate {
  readonly tokens: readonly number[];
  readonly logprob: number;
  readonly value: number;
  readonly score: number;
  readonly chance: number;
}

/** The candidates of each decision, as the search told them. */
export function decisions(traces: readonly SearchTrace[]): { candidates: ToldCandidate[]; chosen: number }[] {
  return traces
    .filter(({ event }) => event === 'candidates')
    .map(({ candidates, chosen }) => ({
      candidates: candidates as unknown as ToldCandidate[],
      chosen: chosen as number,
    }));
}

/**
 * The law of the answers of a search that decides by chance and looks ahead without: every decision is taken in every way, by a uniform number
 * from the middle of its share. Checks that the share told is the share given.
 */
export function answerLaw(run: (world: Partial<TwinWorld>) => ToyRun): Map<string, number> {
  const law = new Map<string, number>();
  const visit = (fixed: readonly number[], choices: readonly number[], probability: number): void => {
    let asked = 0;
    const decide = {
      draw: (): never => {
        throw new Error('a token was drawn, not decided');
      },
      uniform: (): number => fixed[asked++] ?? 0.5,
    };
    const { tokens, traces } = run({ decide, sampling: DRAWN });
    const taken = decisions(traces).filter(
      ({ candidates }) => candidates.filter(({ chance }) => chance > 0).length > 1,
    );
    choices.forEach((choice, at) => {
      if (taken[at]?.chosen !== choice) throw new Error(`decision ${at} took ${taken[at]?.chosen}, not ${choice}`);
    });
    const next = taken[fixed.length];
    if (!next) {
      law.set(tokens.join(' '), (law.get(tokens.join(' ')) ?? 0) + probability);
      return;
    }
    let below = 0;
    const byId = [...next.candidates.keys()].sort(
      (a, b) => next.candidates[a]!.tokens[0]! - next.candidates[b]!.tokens[0]!,
    );
    for (const index of byId) {
      const { chance } = next.candidates[index]!;
      if (chance === 0) continue;
      visit([...fixed, below + chance / 2], [...choices, index], probability * chance);
      below += chance;
    }
  };
  visit([], [], 1);
  return law;
}
