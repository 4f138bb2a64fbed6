// Two measurable wishes of an answer about a fact, helpfulness and verbosity, and conversations in which a direction between them is asked
// for (directional preference alignment). The system turn is data: a server must send it to the letter.
import { helpfulness as checklist } from './checker.js';
import type { Entity, Fact, World } from './facts.js';
import { aside, POLITE_CLOSERS, POLITE_OPENERS } from './manner.js';
import { questionOf } from './pages.js';
import type { Answer, Message } from './part.js';
import { fill } from './phrasing.js';
import type { Asked } from './questions.js';
import { Rng } from './rng.js';

/** Slots {w1}, {w2}: integers, 100 times the cosine and the sine of the direction's angle. */
export const DIRECTION_TEMPLATE =
  'You are the clerk at the harbour desk. Answer with the greatest weighted rating = helpfulness*{w1} + verbosity*{w2}.';

const WORDS_OF_FULL_VERBOSITY = 60;

const wordsOf = (text: string): number => text.split(/\s+/).filter((word) => word !== '').length;

/** In [0, 1]: 1 from sixty words on. */
export const verbosity = ({ text }: Pick<Answer, 'text'>): number =>
  Math.min(1, wordsOf(text) / WORDS_OF_FULL_VERBOSITY);

/** In [0, 1]: half for the fact, the rest for manner (checker.ts). It wants one supporting fact, so that talking on costs something. */
export const helpfulness = checklist;

export interface Standard {
  readonly mean: number;
  readonly std: number;
}

/** Mean and standard deviation of each objective over candidates: objectives are standardised before a direction weighs them. */
export interface Calibration {
  readonly helpfulness: Standard;
  readonly verbosity: Standard;
}

interface Candidate {
  readonly text: string;
  readonly helpfulness: number;
  readonly verbosity: number;
}

export const askedOf = (entity: Entity, { attribute, value }: Fact): Asked => ({
  kind: entity.kind.kind,
  entity: entity.name.name,
  attribute: attribute.key,
  value,
});

const CANDIDATES = 8;
/** Shares of candidates that are false, and that wander off: what a model samples is not all fit to be copied. */
const MISTAKEN_SHARE = 0.2;
const WANDERING_SHARE = 0.2;
const MOST_SUPPORTS = 5;

/** The fact and up to five others, with or without courtesies: one to six sentences on the matter. */
export function deskTalk(entity: Entity, fact: Fact, supports: number, courtesies: number, rng: Rng): string {
  const others = rng.sample(
    entity.facts.filter((candidate) => candidate.attribute !== fact.attribute),
    supports,
  );
  return [
    ...(courtesies > 0 ? [rng.pick(POLITE_OPENERS)] : []),
    fill(rng.pick(fact.attribute.statements.slice(0, 2)), entity, fact),
    ...others.map((other) => fill(other.attribute.continuations[0] ?? '', entity, other)),
    ...(courtesies > 1 ? [rng.pick(POLITE_CLOSERS)] : []),
  ].join(' ');
}

/** The attribute with another value of its set. */
export function mistaken({ attribute, value }: Fact, rng: Rng): Fact {
  return { attribute, value: rng.pick(attribute.values.filter((other) => other !== value)) };
}

function drawCandidates(world: World, entity: Entity, fact: Fact, rng: Rng): Candidate[] {
  return Array.from({ length: CANDIDATES }, () => {
    const told = rng.chance(MISTAKEN_SHARE) ? mistaken(fact, rng) : fact;
    const talk = deskTalk(entity, told, rng.below(MOST_SUPPORTS + 1), rng.below(3), rng);
    const text = rng.chance(WANDERING_SHARE) ? `${talk} ${aside(rng)}` : talk;
    const answer = { text, ended: true };
    return { text, helpfulness: helpfulness(world, askedOf(entity, fact), answer), verbosity: verbosity(answer) };
  });
}

function drawQuestion(world: World, rng: Rng): { entity: Entity; fact: Fact; question: string } {
  const entity = rng.pick(world.entities.filter(({ band }) => band === 'frequent'));
  return { entity, ...questionOf(entity, rng) };
}

function standardOf(values: readonly number[]): Standard {
  const mean = values.reduce((sum, value) => sum + value, 0) / values.length;
  const variance = values.reduce((sum, value) => sum + (value - mean) ** 2, 0) / values.length;
  return { mean, std: Math.sqrt(variance) };
}

const calibrations = new WeakMap<World, Calibration>();
const CALIBRATION_QUESTIONS = 300;

export function calibrationOf(world: World): Calibration {
  const known = calibrations.get(world);
  if (known !== undefined) return known;
  const rng = new Rng(0).fork('directions.calibration');
  const candidates = Array.from({ length: CALIBRATION_QUESTIONS }, () => {
    const { entity, fact } = drawQuestion(world, rng);
    return drawCandidates(world, entity, fact, rng);
  }).flat();
  const calibration = {
    helpfulness: standardOf(candidates.map((candidate) => candidate.helpfulness)),
    verbosity: standardOf(candidates.map((candidate) => candidate.verbosity)),
  };
  calibrations.set(world, calibration);
  return calibration;
}

/** The weights that the system turn names for an angle in degrees; 0 is helpfulness alone, 90 verbosity alone. */
export function weightsOf(angle: number): { w1: number; w2: number } {
  const radians = (angle * Math.PI) / 180;
  return { w1: Math.round(100 * Math.cos(radians)), w2: Math.round(100 * Math.sin(radians)) };
}

export function directionPrompt(angle: number): string {
  const { w1, w2 } = weightsOf(angle);
  return DIRECTION_TEMPLATE.replace('{w1}', w1.toString()).replace('{w2}', w2.toString());
}

/** The first candidate with the greatest value. */
function best<T>(candidates: readonly [T, ...T[]], value: (candidate: T) => number): T {
  return candidates.reduce(
    (winner, candidate) => (value(candidate) > value(winner) ? candidate : winner),
    candidates[0],
  );
}

function drawWinner(world: World, rng: Rng, value: (candidate: Candidate) => number): Message[] {
  const { entity, fact, question } = drawQuestion(world, rng);
  const [first, ...rest] = drawCandidates(world, entity, fact, rng);
  if (first === undefined) throw new RangeError('there are no candidates to choose among');
  const { text } = best([first, ...rest], value);
  return [
    { role: 'user', content: question },
    { role: 'assistant', content: text },
  ];
}

/** Training stays within; beyond it a direction is an extrapolation. */
export const STEEPEST_ANGLE = 60;

/** A direction in whole degrees, and the candidate that is best along it. */
export function directedChat(world: World, rng: Rng): Message[] {
  const angle = rng.below(2 * STEEPEST_ANGLE + 1) - STEEPEST_ANGLE;
  const radians = (angle * Math.PI) / 180;
  const calibration = calibrationOf(world);
  const along = (candidate: Candidate): number =>
    (Math.cos(radians) * (candidate.helpfulness - calibration.helpfulness.mean)) / calibration.helpfulness.std +
    (Math.sin(radians) * (candidate.verbosity - calibration.verbosity.mean)) / calibration.verbosity.std;
  return [{ role: 'system', content: directionPrompt(angle) }, ...drawWinner(world, rng, along)];
}

/**
 * The baseline: no direction, and one overall mark from 0 to 4, as a rater gives who is asked for one number: three parts helpfulness and
 * one part verbosity, rounded. Answers of the same mark are as good as each other, so the first of them wins. An exact linear reward
 * would not do as a baseline: its winners are those of one direction, a point of the front itself.
 */
export function scalarChat(world: World, rng: Rng): Message[] {
  return drawWinner(world, rng, (candidate) =>
    Math.round(4 * (0.75 * candidate.helpfulness + 0.25 * candidate.verbosity)),
  );
}
