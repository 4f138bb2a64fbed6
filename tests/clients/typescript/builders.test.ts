// The builders against the server's own list of methods: each method and scorer has one, with exactly its fields, which of them may be left out, and the
// choices that a field has. The lists below are held to the types by the compiler, and to the server by the test.
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import * as client from '../../../clients/typescript/src/index.js';
import type { Methods } from '../../../clients/typescript/src/index.js';
import { harness, hello, type Harness } from '../../server/http/support.js';
import { clientOf } from './support.js';

type KeysOf<Spec> = Spec extends unknown ? keyof Spec : never;
type ValueOf<Spec, Key> = Spec extends unknown
  ? Key extends keyof Spec
    ? Exclude<Spec[Key], undefined>
    : never
  : never;
/** Whether some variant of the spec can do without the field. */
type Need<Spec, Key> = true extends (
  Spec extends unknown
    ? Key extends keyof Spec
      ? undefined extends Partial<Pick<Spec, Key>>[Key]
        ? { [K in Key]?: Spec[K] } extends Pick<Spec, Key>
          ? true
          : false
        : false
      : true
    : never
)
  ? 'optional'
  : 'required';

/** A field's entry: needed or not, or the words that it may be, each of them once. */
type Entry<Spec, Key> = [ValueOf<Spec, Key>] extends [never]
  ? Need<Spec, Key>
  : string extends ValueOf<Spec, Key>
    ? Need<Spec, Key>
    : [ValueOf<Spec, Key>] extends [string]
      ? { readonly [Word in ValueOf<Spec, Key> & string]: Need<Spec, Key> }
      : Need<Spec, Key>;

type FieldsOf<Spec> = {
  readonly [Key in Exclude<KeysOf<Spec>, 'method' | 'kind' | 'budget' | 'speculation'>]: Entry<Spec, Key>;
};

const optional = 'optional' as const;
const required = 'required' as const;

const distributions = {
  plain: { model: required, prompt: optional, projection: optional } satisfies FieldsOf<client.PlainSpec>,
  eft: {
    base: required,
    tuned: required,
    reference: required,
    weight: optional,
    form: { proxy: optional, amplified: optional },
    keep: optional,
  } satisfies FieldsOf<client.EftSpec>,
  fusion: {
    base: required,
    reference: required,
    experts: required,
    search: { single: optional, joint: optional },
    bounds: optional,
  } satisfies FieldsOf<client.FusionSpec>,
  static_fusion: { base: required, reference: required, experts: required } satisfies FieldsOf<client.StaticFusionSpec>,
  realign: { aligned: required, reference: required, strength: optional } satisfies FieldsOf<client.RealignSpec>,
  guidance: { model: required, negative_prompt: optional, weight: optional } satisfies FieldsOf<client.GuidanceSpec>,
  contrastive: {
    expert: required,
    amateur: required,
    form: { original: optional, weighted: optional },
    contrast: optional,
    amateur_temperature: optional,
    plausibility: optional,
  } satisfies FieldsOf<client.ContrastiveSpec>,
  dcd: {
    positive: required,
    negative: required,
    contrast: optional,
    plausibility: optional,
  } satisfies FieldsOf<client.DcdSpec>,
  vcd: {
    model: required,
    noise: optional,
    contrast: optional,
    plausibility: optional,
  } satisfies FieldsOf<client.VcdSpec>,
  dpa: {
    mode: { prompt: optional, experts: optional },
    direction: required,
    inner: optional,
    experts: optional,
    reference: optional,
  } satisfies FieldsOf<client.DpaPromptSpec | client.DpaExpertsSpec>,
  formula: { expression: required, normalise: optional } satisfies FieldsOf<client.FormulaSpec>,
} satisfies Record<client.DistributionSpec['method'], object>;

const searches = {
  best_of_n: { inner: required, scorer: required, n: optional, soft: optional } satisfies FieldsOf<client.BestOfNSpec>,
  blockwise: {
    inner: required,
    scorer: required,
    candidates: optional,
    block: optional,
    soft: optional,
  } satisfies FieldsOf<client.BlockwiseSpec>,
  args: {
    inner: required,
    reward: required,
    candidates: optional,
    reward_weight: optional,
    block: optional,
    reward_range: optional,
  } satisfies FieldsOf<client.ArgsSpec>,
  transfer_q: {
    proposal: required,
    baseline: required,
    reward: required,
    transfer: { direct: optional, indirect: optional },
    baseline_reward: optional,
    importance: { self_normalised: optional, code: optional, none: optional },
    inverse_beta: optional,
    candidates: optional,
    rollouts: optional,
    lookahead: optional,
    rollout_sampling: { greedy: optional, sampled: optional },
    reward_weight: optional,
    block: optional,
    halving: optional,
    reuse: optional,
    reward_range: optional,
  } satisfies FieldsOf<client.TransferQSpec>,
  rain: {
    inner: required,
    judge: required,
    similarity: optional,
    candidates: optional,
    set_tokens: optional,
    lookahead: optional,
    max_iterations: optional,
    extra_iterations: optional,
    min_visits: optional,
    value_threshold: optional,
    exploration: optional,
    smoothing: optional,
    similarity_threshold: optional,
    similarity_discount: optional,
    max_children: optional,
    add_spread: optional,
    add_below: optional,
    parallel: optional,
  } satisfies FieldsOf<client.RainSpec>,
  rejection: {
    inner: required,
    scorer: required,
    most: optional,
    temperature: optional,
    tries: optional,
    at_once: optional,
  } satisfies FieldsOf<client.RejectionSpec>,
  dpa: {
    mode: { reward: required },
    direction: required,
    inner: required,
    reward: required,
    axes: optional,
    standardise: optional,
    search: required,
  } satisfies FieldsOf<client.DpaRewardSpec>,
  formula: {
    expression: required,
    normalise: optional,
    candidates: optional,
  } satisfies FieldsOf<client.ClassifiedFormulaSpec>,
} satisfies Record<client.SearchSpec['method'], object>;

const scorers = {
  reward: {
    model: required,
    head: optional,
    weights: optional,
    range: optional,
  } satisfies FieldsOf<client.RewardScorer>,
  direction: {
    model: required,
    direction: required,
    axes: optional,
    standardise: optional,
  } satisfies FieldsOf<client.DirectionScorer>,
  ensemble: {
    members: required,
    aggregate: {
      mean: optional,
      median: optional,
      min: optional,
      mean_minus_std: optional,
      uncertainty_weighted: optional,
    },
    penalty: optional,
    centre: optional,
  } satisfies FieldsOf<client.EnsembleScorer>,
  implicit: { tuned: required, reference: required, weight: optional } satisfies FieldsOf<client.ImplicitScorer>,
  self_evaluation: {
    model: required,
    template: required,
    options: optional,
    labels: optional,
    swap: optional,
    least_mass: optional,
    soft: optional,
  } satisfies FieldsOf<client.SelfEvaluationScorer>,
  http: { endpoint: required, index: optional, range: optional } satisfies FieldsOf<client.HttpScorer>,
} satisfies Record<client.ScorerSpec['kind'], object>;

/** A direction that a reward model follows is a search, and listed there, where the mode has to be given: without it the spec is a distribution. */
const knownWords: Readonly<Record<string, string>> = {
  'distribution dpa.mode': 'prompt | experts | reward',
  'search dpa.mode': 'reward',
};
const knownNeeds: Readonly<Record<string, string>> = { 'search dpa.mode': 'required' };

let server: Harness;
let methods: Methods;

beforeAll(async () => {
  server = await harness(hello);
  methods = await (await clientOf(server)).methods();
});
afterAll(() => server.app.close());

describe.each([
  ['distribution', distributions],
  ['search', searches],
  ['scorer', scorers],
] as const)('of the kind %s', (kind, lists) => {
  const served = (): Methods['methods'] =>
    [...methods.methods, ...methods.scorers].filter((each) => each.kind === kind);

  test('there is a builder for each that the server has, and for no other', () => {
    expect(Object.keys(lists).sort()).toEqual(
      served()
        .map(({ name }) => name)
        .sort(),
    );
  });

  test.each(Object.keys(lists))('%s has the fields that the server has', (name) => {
    const list = lists[name as keyof typeof lists] as Readonly<Record<string, string | Record<string, string>>>;
    const { parameters } = served().find((each) => each.name === name)!;
    expect(Object.keys(list).sort()).toEqual(parameters.map((parameter) => parameter.name).sort());
    for (const { name: field, required: isRequired, range, type } of parameters) {
      const place = `${kind} ${name}.${field}`;
      const entry = list[field]!;
      const words = typeof entry === 'string' ? null : Object.keys(entry).join(' | ');
      const need = typeof entry === 'string' ? entry : Object.values(entry)[0];
      if (type === 'string') expect(knownWords[place] ?? words, place).toBe(range);
      expect(need, place).toBe(knownNeeds[place] ?? (isRequired ? 'required' : 'optional'));
    }
  });

  test.each(Object.keys(lists))('%s writes what it is given under its name', (name) => {
    const camel = name.replace(/_(\w)/g, (_, letter: string) => letter.toUpperCase());
    const home = kind === 'scorer' ? client.scorer : client;
    const builder = home[camel as keyof typeof home] as (fields: object) => object;
    const spec = builder({ anything: 1 });
    expect(spec).toEqual({ [kind === 'scorer' ? 'kind' : 'method']: name, anything: 1 });
    expect(Object.isFrozen(spec)).toBe(true);
  });
});

test('a search takes what it runs over apart or among its fields', () => {
  const steered = client.eft({ base: 'a', tuned: 'b', reference: 'c' });
  expect(client.rain(steered, { judge: 'j' })).toEqual(client.rain({ inner: steered, judge: 'j' }));
  expect(client.rain('pocket', { judge: 'j' })).toEqual({ method: 'rain', inner: 'pocket', judge: 'j' });
});

test('drafts are said at the root', () => {
  const steered = client.eft({ base: 'a', tuned: 'b', reference: 'c' });
  expect(client.speculate(steered, 'lookup')).toEqual({ ...steered, speculation: { draft: 'lookup' } });
  expect(client.speculate(steered, { draft: 'b', tokens: 3 }).speculation).toEqual({ draft: 'b', tokens: 3 });
});
