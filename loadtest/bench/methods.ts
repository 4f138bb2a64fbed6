// Methods side by side through the engine: what solving the weights of a fusion costs against fixed ones, and what a batch of seven
// methods that share a base costs against a batch of the dearest of them.
import { buildDecoding } from '../../decoders/spec.js';
import type { Scores } from '../../decoders/expr.js';
import type { EngineClient } from '../../server/engine/client.js';
import { runStreams, startEngine, stepMs, traceInProcess, workOf } from './in-process.js';
import { atLeast, atMost, informs, median, round, type Row } from './rows.js';

const ROUNDS = 5;
const REQUESTS = 20;
const TOKENS = 32;
const MODELS = ['base', 'reference', 'expert', 'other'] as const;

const [base, reference, expert, other] = MODELS;
const FIXED = { method: 'static_fusion', base, reference, experts: [{ model: expert, weight: 1 }] };
const FUSION = { method: 'fusion', base, reference, experts: [expert] };
/** Seven methods that all need the base. */
const SEVEN: Readonly<Record<string, object>> = {
  plain: { method: 'plain', model: base },
  eft: { method: 'eft', base, tuned: expert, reference },
  static_fusion: {
    method: 'static_fusion',
    base,
    reference,
    experts: [expert, other].map((model) => ({ model, weight: 0.5 })),
  },
  fusion: { ...FUSION, experts: [expert, other] },
  contrastive: { method: 'contrastive', expert: base, amateur: reference },
  dcd: { method: 'dcd', positive: base, negative: other },
  realign: { method: 'realign', reference: base, aligned: expert, strength: 0.5 },
};

const distributionOf = (spec: object): Scores =>
  buildDecoding(spec, { models: MODELS, allowNegativeWeights: false }).distribution;

export async function benchMethods(): Promise<Row[]> {
  const engine = await startEngine({
    base: { shape: 'smol135', weights: 'q8' },
    reference: { shape: 'small49k', weights: 'q8', seed: 1 },
    expert: { shape: 'small49k', weights: 'q8', seed: 2 },
    other: { shape: 'small49k', weights: 'q8', seed: 3 },
  });
  try {
    return [...(await fusionAgainstFixed(engine)), ...(await mixed(engine))];
  } finally {
    await engine.stop();
  }
}

async function fusionAgainstFixed(engine: EngineClient): Promise<Row[]> {
  const rows: Row[] = [];
  for (const streams of [1, 8]) {
    const ratios: number[] = [];
    for (let turn = 0; turn <= ROUNDS; turn++) {
      const step = async (spec: object): Promise<number> =>
        stepMs(await runStreams(engine, workOf('smol135', distributionOf(spec), 32, TOKENS), streams));
      const fixed = await step(FIXED);
      const solved = await step(FUSION);
      if (turn > 0) ratios.push(solved / fixed);
    }
    const range = `${Math.min(...ratios).toFixed(2)} to ${Math.max(...ratios).toFixed(2)}`;
    const name = `fusion step ÷ static fusion step, ${streams} rows`;
    rows.push(atMost(name, median(ratios), '×', 1.1, `smol135 + 2 × a 14M shape, V = 49k, q8; ${range}`));
  }
  return rows;
}

/** Requests per second of twenty requests of seven methods, against twenty of the slowest of the seven. */
async function mixed(engine: EngineClient): Promise<Row[]> {
  const seconds = async (specs: readonly object[]): Promise<number> => {
    const started = performance.now();
    await Promise.all(specs.map((spec) => traceInProcess(engine, workOf('smol135', distributionOf(spec), 32, TOKENS))));
    return (performance.now() - started) / 1000;
  };
  const specs = Object.values(SEVEN);
  const ofAll = Array.from({ length: REQUESTS }, (_, i) => specs[i % specs.length] as object);
  const alone = Object.fromEntries(Object.keys(SEVEN).map((name) => [name, [] as number[]]));
  const together: number[] = [];
  for (let turn = 0; turn <= 2; turn++) {
    for (const [name, spec] of Object.entries(SEVEN)) {
      const taken = await seconds(Array.from({ length: REQUESTS }, () => spec));
      if (turn > 0) alone[name]?.push(taken);
    }
    const taken = await seconds(ofAll);
    if (turn > 0) together.push(taken);
  }
  const costs = Object.entries(alone).map(([name, taken]) => ({ name, taken: median(taken) }));
  const dearest = costs.reduce((a, b) => (b.taken > a.taken ? b : a));
  const note = costs.map(({ name, taken }) => `${name} ${round(taken)} s`).join(', ');
  return [
    atLeast(
      `${REQUESTS} requests of seven methods, throughput ÷ that of the dearest alone`,
      dearest.taken / median(together),
      '×',
      0.9,
      `dearest: ${dearest.name}; ${note}`,
    ),
    informs(`${REQUESTS} requests of seven methods`, median(together), 's'),
  ];
}
