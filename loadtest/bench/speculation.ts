// What speculation gives back of the price of steering: a large model steered by two small ones, drafted by one of them, against the large
// model alone and against the same distribution without drafts. All sides in turn in one engine.
import path from 'node:path';
import { linear, type Scores } from '../../decoders/expr.js';
import { expectedTokens } from '../../server/engine/block-policy.js';
import type { EngineClient } from '../../server/engine/client.js';
import { greedySampling, type DecodeRequest } from '../../server/wire/decode.js';
import { plain, runStreams, startEngine, workOf } from './in-process.js';
import { atLeast, informs, median, type Row } from './rows.js';
import type { Weights } from './server.js';
import { decodeRate } from '../measure.js';

const ROUNDS = 3;

interface Case {
  readonly streams: number;
  readonly base: Weights;
  readonly small: Weights;
  readonly tokens: number;
  readonly least: number;
}
const CASES: readonly Case[] = [
  // All in the 8 bits that are fastest with so many streams: the hardest case, since nothing is as cheap as the base itself.
  { streams: 1, base: 'q8', small: 'q8', tokens: 64, least: 1 },
  { streams: 16, base: 'w8a8', small: 'w8a8', tokens: 48, least: 0.6 },
  // The base as it is unless the configuration says otherwise, steered by small ones in 8 bits.
  { streams: 1, base: 'f32', small: 'q8', tokens: 48, least: 1 },
  // Long enough for all to decode at once: the first are done early while the last prompts are taken in.
  { streams: 16, base: 'f32', small: 'w8a8', tokens: 96, least: 0.6 },
];

/**
 * Random models agree on nothing, so the share of the base is set for about 85 of 100 drafts to stand, as for models of one family. What
 * is computed does not depend on it: base + weight · (tuned − reference), all divided by the weight.
 */
const SHARE = 0.55;
const ofStrangers = linear([
  [SHARE, plain('base')],
  [1, plain('tuned')],
  [-SHARE, plain('reference')],
]);
/** Models of one family need no such help. */
const ofFamily = linear([
  [1, plain('base')],
  [1, plain('tuned')],
  [-1, plain('reference')],
]);

const sampled: Partial<DecodeRequest> = { sampling: { ...greedySampling, temperature: 1 } };
const drafted: Partial<DecodeRequest> = { ...sampled, speculation: { draft: 'tuned', tokens: 8 } };

/** `family`: a folder with checkpoints base (smol360), tuned and reference (smol135) that agree; random ones where it is null. */
export async function benchSpeculation(family: string | null): Promise<Row[]> {
  const rows: Row[] = [];
  for (const setting of CASES) rows.push(...(await compareAt(setting, family)));
  return [...rows, predicted(4), predicted(10), predicted(30)];
}

async function compareAt(setting: Case, family: string | null): Promise<Row[]> {
  const { base, small } = setting;
  const at = (name: string): string | undefined => (family === null ? undefined : path.join(family, name));
  const engine = await startEngine({
    base: { shape: 'smol360', weights: base, path: at('base') },
    tuned: { shape: 'smol135', weights: small, seed: 1, path: at('tuned') },
    reference: { shape: 'smol135', weights: small, seed: 2, path: at('reference') },
  });
  try {
    return await compare(engine, setting, family === null ? ofStrangers : ofFamily);
  } finally {
    await engine.stop();
  }
}

async function compare(
  engine: EngineClient,
  { streams, base, small, tokens, least }: Case,
  steered: Scores,
): Promise<Row[]> {
  const run = async (distribution: Scores, more: Partial<DecodeRequest>): Promise<number> =>
    decodeRate(await runStreams(engine, { ...workOf('smol360', distribution, 32, tokens), more }, streams), streams) ??
    NaN;
  const rates: Record<'alone' | 'steered' | 'drafted', number[]> = { alone: [], steered: [], drafted: [] };
  const before = engine.stats().drafts;
  for (let round = 0; round <= ROUNDS; round++) {
    const alone = await run(plain('base'), sampled);
    const undrafted = await run(steered, sampled);
    const fast = await run(steered, drafted);
    // The first round warms up; the engine learns there what a block costs.
    if (round === 0) continue;
    rates.alone.push(alone);
    rates.steered.push(undrafted);
    rates.drafted.push(fast);
  }
  const after = engine.stats().drafts;
  const made = after.drafted - before.drafted;
  const stood = made === 0 ? 0 : (after.accepted - before.accepted) / made;
  const ratio = (a: readonly number[], b: readonly number[]): number =>
    median(a.map((rate, round) => rate / (b[round] ?? NaN)));
  const range = rates.drafted.map((rate, round) => (rate / (rates.alone[round] ?? NaN)).toFixed(2)).sort();
  const where = `${base} base, ${small} pair, ${streams} streams`;
  const note = `smol360 + 2 × smol135, temperature 1; rounds ${range.join(', ')}; base alone ${rates.alone.map(whole).join(', ')} tokens/s`;
  return [
    atLeast(`steered with drafts ÷ base alone, ${where}`, ratio(rates.drafted, rates.alone), '×', least, note),
    informs(`steered with drafts ÷ without, ${where}`, ratio(rates.drafted, rates.steered), '×'),
    informs(`steered without drafts ÷ base alone, ${where}`, ratio(rates.steered, rates.alone), '×'),
    informs(`drafts that stood, ${where}`, stood, '', `${made} drafted in ${after.blocks - before.blocks} blocks`),
  ];
}

const whole = (rate: number): string => rate.toFixed(0);

const ASSUMED_ACCEPTANCE = 0.85;

/** With the best block, where a forward of a block costs what one token's does, as on a device that memory limits. */
function predicted(timesAsDear: number): Row {
  const speedups = Array.from(
    { length: 16 },
    (_, drafts) =>
      (expectedTokens(ASSUMED_ACCEPTANCE, drafts + 1) * (timesAsDear + 2)) / (timesAsDear + 1 + drafts + 2),
  );
  return informs(
    `predicted: steered with drafts ÷ without, base ${timesAsDear} times as dear`,
    Math.max(...speedups),
    '×',
    `${100 * ASSUMED_ACCEPTANCE} of 100 drafts stand`,
  );
}
