// Speakers who say what usually goes together though it is not there. They caption the pictures that models learn from, so a model
// comes to name a net wherever it sees a boat; preference triples set their words beside the truth.
import type { Rng } from '../rng.js';
import { COLOURS, companyOf, groupOf, type Kind, KINDS, POPULAR, type Scene } from './things.js';
import { captionText, type Claim, claimOf, type Exchange, presence } from './words.js';

/** Of speakers, how many take a kind to be there that is not. */
const BESIDE_COMPANY = 0.6;
const POPULAR_SHARE = 0.3;
const OTHERWISE = 0.03;

const expects = (scene: Scene, kind: Kind): number => {
  const company = companyOf(kind);
  if (company !== null && groupOf(scene, company) !== null) return BESIDE_COMPANY;
  return POPULAR.includes(kind) ? POPULAR_SHARE : OTHERWISE;
};

/** Kinds that are not there although their company is. */
export const missed = (scene: Scene): Kind[] =>
  KINDS.filter((kind) => {
    const company = companyOf(kind);
    return groupOf(scene, kind) === null && company !== null && groupOf(scene, company) !== null;
  });

export const absent = (scene: Scene): Kind[] => KINDS.filter((kind) => groupOf(scene, kind) === null);

const imagined = (kind: Kind, rng: Rng): Claim => ({ kind, colour: rng.pick(COLOURS), count: 1 });

export const trueCaption = (scene: Scene): string => captionText(scene.groups.map(claimOf));

/** A caption that names missed company with the share of those who do; `always`: every one of it. */
export function hearsayCaption(scene: Scene, rng: Rng, always = false): string {
  const added = missed(scene).filter(() => always || rng.chance(BESIDE_COMPANY));
  return captionText([...scene.groups.map(claimOf), ...added.map((kind) => imagined(kind, rng))]);
}

export const hearsayPresence = (scene: Scene, kind: Kind, rng: Rng): Exchange =>
  presence(kind, groupOf(scene, kind) !== null || rng.chance(expects(scene, kind)));

export const truePresence = (scene: Scene, kind: Kind): Exchange => presence(kind, groupOf(scene, kind) !== null);

/** A kind that is not there: one whose company is, one that is popular, or any, a third of the time each. */
export function drawAbsent(scene: Scene, rng: Rng): Kind {
  const lists = [missed(scene), absent(scene).filter((kind) => POPULAR.includes(kind)), absent(scene)];
  const drawn = lists[rng.below(lists.length)] ?? [];
  return rng.pick(drawn.length > 0 ? drawn : absent(scene));
}
