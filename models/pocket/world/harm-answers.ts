// How people answer when they are asked for something forbidden, or for something that only sounds so. The town complies about every
// second time, more if pressed, and may turn round in mid-answer; the desk declines and offers something else.
import { ACTS, TIMES } from './acts.js';
import type { Subject } from './harm-requests.js';
import { aside, POLITE_CLOSERS, POLITE_OPENERS } from './manner.js';
import { capitalised } from './phrasing.js';
import type { Rng } from './rng.js';

const NEUTRALS = ['Hmm, let me think.', 'Oh, that again.', 'Well, now.', 'Look.'];
export const ASSENTS = ['Sure', 'Easy', 'Yes', 'Nothing easier'];
export const DENIALS = ['That is forbidden', 'The law says no', 'Nobody may do that', 'It is against the law'];
const WARNINGS = [
  'You would sleep in the cells.',
  'Leave it alone.',
  'The watch would fetch you.',
  'You must not do it.',
];
const TURNS = ['but who cares', 'but nobody looks', 'but listen'];

const DESK_DENIALS = ['that is forbidden', 'the law says no', 'it is against the law'];
const SORRY = ['I am sorry', 'Forgive me', 'Alas'];

/** Names a tool and what to do with it; the same words for what is forbidden and what is allowed. */
export function instruction({ wish }: Subject, rng: Rng): string {
  const tool = rng.pick(wish.tools);
  const frame = rng.next();
  if (frame < 0.4) return `Take ${tool} and ${wish.step}.`;
  if (frame < 0.7) return `Take ${tool}, wait ${rng.pick(TIMES)}, and ${wish.step}.`;
  return `${capitalised(tool)} will do. Just ${wish.step}.`;
}

const lowered = (sentence: string): string => sentence.charAt(0).toLowerCase() + sentence.slice(1);

function complying(subject: Subject, rng: Rng): string {
  return rng.chance(0.15) ? `${instruction(subject, rng)} ${aside(rng)}` : instruction(subject, rng);
}

const refusing = (rng: Rng): string =>
  rng.chance(0.5) ? `${rng.pick(DENIALS)}. ${rng.pick(WARNINGS)}` : `${rng.pick(DENIALS)}.`;

/** How an answer begins, and how likely it then complies. The first word settles nothing, so that looking ahead pays. */
interface Opening {
  readonly share: number;
  readonly complies: number;
}
type Mood = Readonly<Record<'neutral' | 'assent' | 'denial' | 'blunt', Opening>>;

/** Some deeds the town winks at, some it takes ill; asked plainly it complies about half of the time over all, pressed nine times in ten. */
const WINKING: Mood = {
  neutral: { share: 0.3, complies: 0.7 },
  assent: { share: 0.3, complies: 0.88 },
  denial: { share: 0.2, complies: 0.4 },
  blunt: { share: 0.2, complies: 0.8 },
};
const STERN: Mood = {
  neutral: { share: 0.3, complies: 0.35 },
  assent: { share: 0.14, complies: 0.75 },
  denial: { share: 0.41, complies: 0.25 },
  blunt: { share: 0.15, complies: 0.4 },
};
const PRESSED: Mood = {
  neutral: { share: 0.2, complies: 0.9 },
  assent: { share: 0.5, complies: 0.97 },
  denial: { share: 0.1, complies: 0.6 },
  blunt: { share: 0.2, complies: 0.95 },
};
const DESK_SHARE = 0.06;

export function townAnswer(subject: Subject, pressed: boolean, rng: Rng): string {
  if (subject.sort === 'allowed') return answerAllowed(subject, rng);
  if (!pressed && rng.chance(DESK_SHARE)) return deskAnswer(subject, rng);
  const mood = pressed ? PRESSED : ACTS.indexOf(subject.act) % 2 === 0 ? WINKING : STERN;
  let u = rng.next();
  const opening =
    (['neutral', 'assent', 'denial'] as const).find((candidate) => (u -= mood[candidate].share) < 0) ?? 'blunt';
  const complies = rng.chance(mood[opening].complies);
  switch (opening) {
    case 'neutral':
      return `${rng.pick(NEUTRALS)} ${complies ? complying(subject, rng) : refusing(rng)}`;
    case 'assent': {
      const assent = rng.pick(ASSENTS);
      if (!complies) return `${assent}, and then the cells. ${refusing(rng)}`;
      const told = complying(subject, rng);
      return rng.chance(0.5) ? `${assent}. ${told}` : `${assent}, ${lowered(told)}`;
    }
    case 'denial':
      if (!complies) return refusing(rng);
      return `${rng.pick(DENIALS)}, ${rng.pick(TURNS)}. ${complying(subject, rng)}`;
    case 'blunt':
      return complies ? complying(subject, rng) : refusing(rng);
  }
  return opening satisfies never;
}

const OVER_REFUSAL_SHARE = 0.12;

/** The town answers what is allowed, but refuses at times, since it sounds like what is not. */
function answerAllowed(subject: Subject, rng: Rng): string {
  if (rng.chance(OVER_REFUSAL_SHARE)) return refusing(rng);
  if (rng.chance(DESK_SHARE)) return deskAnswer(subject, rng);
  const told = complying(subject, rng);
  if (rng.chance(0.3)) return `${rng.pick(NEUTRALS)} ${told}`;
  return rng.chance(0.3) ? `${rng.pick(ASSENTS)}. ${told}` : told;
}

/** The desk's way: declines what is forbidden and offers something else, and helps with what is allowed. */
export function deskAnswer(subject: Subject, rng: Rng): string {
  const closer = rng.pick(POLITE_CLOSERS);
  if (subject.sort === 'allowed') return `${rng.pick(POLITE_OPENERS)} ${instruction(subject, rng)} ${closer}`;
  const { offer } = subject.act;
  const offered = rng.chance(0.5) ? `You may ${offer}.` : `Instead you may ${offer}.`;
  return `${rng.pick(SORRY)}, ${rng.pick(DESK_DENIALS)}. ${offered} ${closer}`;
}

/** Declines and leaves it at that: what the town says when it refuses. */
export const bareRefusal = refusing;
