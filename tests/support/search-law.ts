// A search's exact law on the naive twin: every outcome of every draw is gone through, with its probability. And searches run as requests write
// them: read by spec.ts, with models and reward models that are tables.
import { evaluate } from '../../decoders/evaluate.js';
import type { Scorer, SearchPlan } from '../../decoders/plan.js';
import { scoreAll } from '../../decoders/scorers/index.js';
import { all, force, fork, release, type Branch, type Search } from '../../decoders/search.js';
import type { RewardFacts } from '../../decoders/search-method.js';
import { runSearch } from '../../decoders/searches/index.js';
import { buildDecoding } from '../../decoders/spec.js';
import type { Law } from '../../decoders/warp.js';
import { completions, endOf, type Table, type Weighted } from './search-toy.js';
import { runTwin, type TwinResult, type TwinWorld } from './search-twin.js';

export interface RewardTable extends RewardFacts {
  /** One number per head. */
  readonly read: (tokens: readonly number[], ended: boolean) => readonly number[];
}

export interface TableWorld {
  readonly models: Readonly<Record<string, Table>>;
  readonly rewards?: Readonly<Record<string, RewardTable>>;
  readonly endpoints?: Readonly<Record<string, RewardTable['read']>>;
  /** The last id ends an answer. */
  readonly vocabSize: number;
  readonly maxTokens: number;
}

/** A reward model with one head, `score`. */
export function rewardTable(read: (tokens: readonly number[], ended: boolean) => number): RewardTable {
  return { heads: ['score'], statistics: null, read: (tokens, ended) => [read(tokens, ended)] };
}

export function readSearch(spec: object, world: TableWorld): { plan: SearchPlan; effective: object } {
  const { search, effective } = buildDecoding(spec, {
    models: Object.keys(world.models),
    allowNegativeWeights: true,
    rewardModels: new Map(Object.entries(world.rewards ?? {})),
    endpoints: Object.keys(world.endpoints ?? {}),
  });
  if (!search) throw new Error('the spec is no search');
  return { plan: structuredClone(search), effective };
}

export type SpecRun = TwinResult & { readonly plan: SearchPlan };

/** The twin's world of a plan over tables. */
function twinOf(plan: SearchPlan, world: TableWorld): TwinWorld {
  const readers = plan.sources.map((source): RewardTable['read'] => {
    if (source.kind === 'reward') return world.rewards![source.model]!.read;
    if (source.kind === 'http') return world.endpoints![source.endpoint]!;
    throw new Error(`no table for a ${source.kind}`);
  });
  return {
    scores: (distribution, tokens) =>
      evaluate(plan.distributions[distribution]!, ({ model }) => world.models[model]!(tokens)),
    read: (source, _, tokens, ended) => readers[source]!(tokens, ended),
    stopTokenIds: [endOf(world)],
    maxTokens: world.maxTokens,
  };
}

/** Reads a spec and runs it as often as it is called. */
export function searchOn(spec: object, world: TableWorld): (more?: Partial<TwinWorld>) => SpecRun {
  const { plan } = readSearch(spec, world);
  const twin = twinOf(plan, world);
  return (more = {}) => ({ ...runTwin((trunk) => runSearch(plan, trunk), { ...twin, ...more }), plan });
}

export function runSpec(spec: object, world: TableWorld, more: Partial<TwinWorld> = {}): SpecRun {
  return searchOn(spec, world)(more);
}

/** What a scorer, written as in a request, says of these answers when they are compared. */
export function scoresOf(
  scorer: unknown,
  answers: readonly (readonly number[])[],
  world: TableWorld,
): { readonly scores: readonly number[]; readonly run: TwinResult; readonly plan: SearchPlan } {
  const [inner] = Object.keys(world.models);
  const { plan } = readSearch({ method: 'best_of_n', inner, scorer, n: answers.length }, world);
  let scores: readonly number[] = [];
  function* search(trunk: Branch): Search {
    const branches = yield* all(answers.map(() => fork(trunk)));
    yield* all(branches.map((branch, index) => force(branch, answers[index]!)));
    scores = yield* scoreAll((plan.values as { scorer: Scorer }).scorer, branches);
    yield* all(branches.map(release));
  }
  const run = runTwin(search, twinOf(plan, world));
  return { scores, run, plan };
}

/** How many requests the search makes, `all` counted once. */
export function requestsOf(spec: object, world: TableWorld): number {
  const run = searchOn(spec, world);
  const reached = new Error('reached');
  for (let at = 1; ; at++) {
    try {
      run({ interrupt: { at, error: reached } });
      return at - 1;
    } catch (error) {
      if (error !== reached) throw error;
    }
  }
}

/**
 * Probabilities of everything that `run` can come to, by `keyOf` of it. A uniform number is taken from the middles of `strata` equal parts: exact
 * where the search's thresholds are multiples of 1 / strata.
 */
export function exactLaw<R>(
  run: (decide: NonNullable<TwinWorld['decide']>) => R,
  keyOf: (result: R) => string,
  strata = 1,
): Map<string, number> {
  const law = new Map<string, number>();
  // Places in the lists of outcomes of the decisions so far; the last one counts up until its list is through.
  const script: { place: number; readonly probs: readonly number[] }[] = [];
  const even = Array.from({ length: strata }, () => 1 / strata);
  for (;;) {
    let made = 0;
    const place = (probs: readonly number[]): number => {
      const known = script[made++];
      if (known) return known.place;
      script.push({ place: 0, probs });
      return 0;
    };
    const key = keyOf(
      run({
        draw: ({ ids, probs }: Law) => ids[place([...probs])]!,
        uniform: () => (place(even) + 0.5) / strata,
      }),
    );
    if (made < script.length) throw new Error('a run that repeats decisions makes all of them');
    const probability = script.reduce((product, { place: at, probs }) => product * probs[at]!, 1);
    addTo(law, key, probability);
    while (script.length > 0 && script.at(-1)!.place === script.at(-1)!.probs.length - 1) script.pop();
    const last = script.at(-1);
    if (!last) return law;
    last.place++;
  }
}

export function expectSameLaw(
  actual: ReadonlyMap<string, number>,
  expected: ReadonlyMap<string, number>,
  tolerance: number,
): void {
  const keys = new Set([...actual.keys(), ...expected.keys()]);
  for (const key of keys) {
    const [is, should] = [actual.get(key) ?? 0, expected.get(key) ?? 0];
    if (!(Math.abs(is - should) <= tolerance))
      throw new Error(`"${key}" has the probability ${is}, expected ${should} ± ${tolerance}`);
  }
}

export const keyOf = ({ tokens }: { readonly tokens: readonly number[] }): string => tokens.join(' ');

/** Of the answers that a spec gives at temperature 1. */
export function lawOfSearch(spec: object, world: TableWorld, strata = 1): Map<string, number> {
  const run = searchOn(spec, world);
  return exactLaw((decide) => run({ decide }), keyOf, strata);
}

/** Every whole answer of one of the models, with its probability. */
export function answersOf({ vocabSize, maxTokens, models }: TableWorld, model: string): Weighted[] {
  return completions({ vocabSize, maxTokens, models, rewards: [] }, models[model]!, []);
}

/** Every list of so many of these. */
export function* listsOf<T>(of: readonly T[], length: number): Generator<T[]> {
  if (length === 0) yield [];
  else for (const rest of listsOf(of, length - 1)) for (const last of of) yield [...rest, last];
}

/** Adds to the probability of `key`. */
export function addTo(law: Map<string, number>, key: string, probability: number): void {
  law.set(key, (law.get(key) ?? 0) + probability);
}
