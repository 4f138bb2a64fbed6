// How pictures are spoken of: captions, questions, and their answers, from what a speaker takes to be there. Truthful speakers take
// what is in the scene; hearsay.ts makes speakers who take more. The checker reads the same words back.
import { type Colour, groupOf, type Group, type Kind, KINDS, PLACES, type Scene } from './things.js';

export const CAPTION_PROMPT = 'What does the picture show?';

const NUMBERS = ['no', 'one', 'two', 'three'] as const;

export const plural = (kind: Kind): string => (kind === 'fish' ? 'fish' : `${kind}s`);

/** What a speaker takes to be in a picture: a kind, its colour, how many. */
export interface Claim {
  readonly kind: Kind;
  readonly colour: Colour;
  readonly count: number;
}

export const claimOf = ({ kind, colour, places }: Group): Claim => ({ kind, colour, count: places.length });

/** "a red boat", "two red boats" */
export function claimText({ kind, colour, count }: Claim): string {
  return count === 1 ? `a ${colour} ${kind}` : `${NUMBERS[count] ?? count.toString()} ${colour} ${plural(kind)}`;
}

/** In the order of KINDS, where company stands beside company. */
export function captionText(claims: readonly Claim[]): string {
  const told = [...claims].sort((a, b) => KINDS.indexOf(a.kind) - KINDS.indexOf(b.kind)).map(claimText);
  const last = told.pop() ?? 'nothing';
  return `I see ${told.length > 0 ? `${told.join(', ')} and ` : ''}${last}.`;
}

export interface Exchange {
  readonly question: string;
  readonly answer: string;
}

export const presence = (kind: Kind, isThere: boolean): Exchange => ({
  question: `Is there a ${kind}?`,
  answer: isThere ? `Yes, there is a ${kind}.` : `No, there is no ${kind}.`,
});

/** The four questions of general ability. Null where the scene gives no single answer. */
export const ABILITIES = {
  what: (scene: Scene, place: number): Exchange | null => {
    const found = scene.groups.find(({ places }) => places.includes(place));
    const where = PLACES[place] ?? '';
    return found === undefined
      ? null
      : { question: `What is ${where}?`, answer: `There is a ${found.colour} ${found.kind} ${where}.` };
  },
  where: (scene: Scene, kind: Kind): Exchange | null => {
    const group = groupOf(scene, kind);
    const [place, another] = group?.places ?? [];
    if (place === undefined || another !== undefined) return null;
    return { question: `Where is the ${kind}?`, answer: `The ${kind} is ${PLACES[place] ?? ''}.` };
  },
  count: (scene: Scene, kind: Kind): Exchange | null => {
    const count = groupOf(scene, kind)?.places.length;
    if (count === undefined) return null;
    const counted = count === 1 ? `is one ${kind}` : `are ${NUMBERS[count] ?? ''} ${plural(kind)}`;
    return { question: `How many ${plural(kind)} are there?`, answer: `There ${counted}.` };
  },
  colour: (scene: Scene, kind: Kind): Exchange | null => {
    const group = groupOf(scene, kind);
    if (group === null) return null;
    const many = group.places.length > 1;
    const subject = many ? `${plural(kind)} are` : `${kind} is`;
    return {
      question: `What colour ${many ? 'are' : 'is'} the ${many ? plural(kind) : kind}?`,
      answer: `The ${subject} ${group.colour}.`,
    };
  },
} as const;
