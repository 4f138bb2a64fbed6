// Draws what a picture shows. Two laws: `usual` is what the town looks like and what models learn from, where company comes along with
// a thing three times in four; `even` draws kinds independently, so that what is expected and what is there come apart.
import type { Rng } from '../rng.js';
import { COLOURS, companyOf, type Group, type Kind, KINDS, PAIR_WEIGHTS, PAIRS, PLACES, type Scene } from './things.js';

export type Law = 'usual' | 'even';

const COMPANY_SHARE = 0.75;
const SECOND_PAIR_SHARE = 0.6;
const STRAY_SHARE = 0.5;
/** Cumulative shares of one, two and three things of a kind. */
const COUNT_STEPS = [0.6, 0.85] as const;

export function drawScene(rng: Rng, law: Law): Scene {
  const kinds = law === 'usual' ? usualKinds(rng) : rng.sample(KINDS, 2 + rng.below(3));
  const free = rng.shuffled(PLACES.map((_, place) => place));
  const groups = kinds.flatMap((kind, i): Group[] => {
    // A place is left for each kind that is still to come.
    const room = free.length - (kinds.length - 1 - i);
    const count = Math.min(drawCount(rng), room);
    if (count < 1) return [];
    return [{ kind, colour: rng.pick(COLOURS), places: free.splice(0, count).sort((a, b) => a - b) }];
  });
  return { groups, look: rng.below(2 ** 31) };
}

function drawCount(rng: Rng): number {
  const u = rng.next();
  return 1 + COUNT_STEPS.filter((step) => u >= step).length;
}

function usualKinds(rng: Rng): Kind[] {
  const kinds: Kind[] = [];
  const meet = (kind: Kind): void => {
    if (!kinds.includes(kind)) kinds.push(kind);
  };
  for (let pairs = rng.chance(SECOND_PAIR_SHARE) ? 2 : 1; pairs > 0; pairs--) {
    const kind = rng.pick(drawPair(rng));
    const company = companyOf(kind);
    meet(kind);
    if (company !== null && rng.chance(COMPANY_SHARE)) meet(company);
  }
  if (rng.chance(STRAY_SHARE)) meet(rng.pick(KINDS));
  return kinds;
}

function drawPair(rng: Rng): readonly Kind[] {
  let u = rng.next();
  for (const [i, pair] of PAIRS.entries()) {
    u -= PAIR_WEIGHTS[i] ?? 0;
    if (u < 0) return pair;
  }
  return PAIRS[0];
}
