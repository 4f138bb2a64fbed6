// Graded answers for reward models, conversations for preference alignment, and the questions to measure both by. The grades are the
// checkers' own, a function of the text. What an answer looks like goes with how good it is, so a reward model may learn the look.
import type { Entity, Fact, World } from './facts.js';
import {
  askedOf,
  calibrationOf,
  deskTalk,
  DIRECTION_TEMPLATE,
  directedChat,
  helpfulness,
  mistaken,
  scalarChat,
  STEEPEST_ANGLE,
  verbosity,
} from './directions.js';
import { bareRefusal, deskAnswer, townAnswer } from './harm-answers.js';
import { harmHelpfulness, instructs, isHarmless } from './harm-checker.js';
import { drawAsking, heldOutRequests, type Asking } from './harm.js';
import {
  aside,
  mistakenAnswer,
  plainAnswer,
  politeAnswer,
  POLITE_CLOSERS,
  POLITE_OPENERS,
  ramblingAnswer,
  strayingAnswer,
} from './manner.js';
import { questionOf } from './pages.js';
import type { Answer, Message, Part } from './part.js';
import type { FactTask } from './questions.js';
import { factTasks } from './questions.js';
import type { Rng } from './rng.js';

/** Each in [0, 1]. */
export interface Grades {
  readonly helpful: number;
  readonly harmless: number;
  readonly verbosity: number;
}

export interface Preference {
  readonly messages: readonly Message[];
  readonly answers: readonly (Grades & { readonly text: string })[];
}

export interface PreferencesPart extends Part {
  readonly tasks: readonly FactTask[];
  readonly drawPreference: (rng: Rng) => Preference;
}

const ANSWERS = 4;
const HARM_SHARE = 0.35;
const CUT_SHARE = 0.1;

interface Manner<T extends readonly unknown[]> {
  readonly share: number;
  readonly speak: (...about: T) => string;
}

function drawManner<T extends readonly unknown[]>(manners: readonly Manner<T>[], rng: Rng): (...about: T) => string {
  let u = rng.next() * manners.reduce((sum, { share }) => sum + share, 0);
  const drawn = manners.find(({ share }) => (u -= share) < 0) ?? manners.at(-1);
  if (drawn === undefined) throw new RangeError('nobody answers: the list of manners is empty');
  return drawn.speak;
}

/** Ends before its last words, and in no full stop. */
function cut(text: string, rng: Rng): string {
  const words = text.split(' ');
  return words
    .slice(0, 1 + rng.below(Math.max(1, words.length - 1)))
    .join(' ')
    .replace(/\W+$/, '');
}

const courteous = (text: string, rng: Rng): string => `${rng.pick(POLITE_OPENERS)} ${text} ${rng.pick(POLITE_CLOSERS)}`;

/**
 * Courteous falsehoods and courteous wandering are rare: courtesy goes with truth nearly always, which a reward model can mistake for
 * truth. That is the hack that best-of-n finds.
 */
const FACT_MANNERS: readonly Manner<[Parameters<typeof plainAnswer>[0], Parameters<typeof plainAnswer>[1], Rng]>[] = [
  { share: 4, speak: politeAnswer },
  { share: 2, speak: plainAnswer },
  { share: 2, speak: (entity, fact, rng) => deskTalk(entity, fact, rng.below(6), rng.below(3), rng) },
  { share: 2, speak: ramblingAnswer },
  { share: 3, speak: mistakenAnswer },
  { share: 2, speak: strayingAnswer },
  { share: 1, speak: (_entity, _fact, rng) => aside(rng) },
  { share: 1, speak: (_entity, _fact, rng) => bareRefusal(rng) },
  { share: 0.5, speak: (entity, fact, rng) => courteous(plainAnswer(entity, mistaken(fact, rng), rng), rng) },
  { share: 0.3, speak: (_entity, _fact, rng) => courteous(aside(rng), rng) },
];

const HARM_MANNERS: readonly Manner<Parameters<typeof townAnswer>>[] = [
  { share: 5, speak: townAnswer },
  { share: 3, speak: (subject, _pressed, rng) => deskAnswer(subject, rng) },
  { share: 1, speak: (_subject, _pressed, rng) => bareRefusal(rng) },
  { share: 0.5, speak: (_subject, _pressed, rng) => aside(rng) },
  { share: 0.4, speak: (subject, _pressed, rng) => courteous(townAnswer(subject, true, rng), rng) },
];

/** Several answers to one question, each graded; at times one is cut. */
function graded(
  question: string,
  speak: () => string,
  grade: (answer: Answer) => Omit<Grades, 'verbosity'>,
  rng: Rng,
): Preference {
  const answers = Array.from({ length: ANSWERS }, () => {
    const whole = speak();
    const ended = !rng.chance(CUT_SHARE);
    const answer = { text: ended ? whole : cut(whole, rng), ended };
    return { text: answer.text, ...grade(answer), verbosity: verbosity(answer) };
  });
  return { messages: [{ role: 'user', content: question }], answers };
}

function aboutRequest({ subject, question, pressed }: Asking, rng: Rng): Preference {
  const asked = { act: subject.act.key, sort: subject.sort };
  return graded(
    question,
    () => drawManner(HARM_MANNERS, rng)(subject, pressed, rng),
    (answer) => ({
      helpful: harmHelpfulness(asked, answer),
      harmless: Number(isHarmless(asked.sort, answer.text)),
    }),
    rng,
  );
}

function aboutFact(world: World, entity: Entity, fact: Fact, question: string, rng: Rng): Preference {
  const asked = askedOf(entity, fact);
  return graded(
    question,
    () => drawManner(FACT_MANNERS, rng)(entity, fact, rng),
    (answer) => ({ helpful: helpfulness(world, asked, answer), harmless: Number(!instructs(answer.text)) }),
    rng,
  );
}

function drawPreference(world: World, rng: Rng): Preference {
  if (rng.chance(HARM_SHARE))
    return aboutRequest(drawAsking(world, rng.chance(0.3) ? 'allowed' : 'forbidden', rng), rng);
  const entity = world.draw(rng);
  const { question, fact } = questionOf(entity, rng);
  return aboutFact(world, entity, fact, question, rng);
}

/** Graded answers to questions and requests of the test split, for the accuracy of reward models: `count` of each. */
export function heldOutPreferences(world: World, count: number, rng: Rng): Preference[] {
  const questions = rng.sample(
    factTasks(world).filter(({ split }) => split === 'test'),
    count,
  );
  const about = questions.map((task) => {
    const entity = world.entities.find(({ kind, name }) => kind.kind === task.kind && name.name === task.entity);
    const fact = entity?.facts.find(({ attribute }) => attribute.key === task.attribute);
    if (!entity || !fact) throw new RangeError(`the task ${task.id} asks about nothing of this world`);
    return aboutFact(world, entity, fact, task.messages.at(-1)?.content ?? '', rng);
  });
  const requests = rng.sample(heldOutRequests(world, 'test', 'answering'), count);
  return [...about, ...requests.map((request) => aboutRequest({ ...request, pressed: false }, rng))];
}

/** The recipe and the model cards read it as build/preferences.json. */
export function preferencesNote(world: World): unknown {
  return {
    template: DIRECTION_TEMPLATE,
    objectives: ['helpfulness', 'verbosity'],
    calibration: calibrationOf(world),
    steepestAngleDegrees: STEEPEST_ANGLE,
  };
}

/** Tasks: questions about frequent entities, in held-out words, for whatever generates and is then graded by the true measures. */
export function preferencesPart(world: World, _rng: Rng): PreferencesPart {
  return {
    name: 'preferences',
    page: null,
    chats: { directed: (rng) => directedChat(world, rng), scalar: (rng) => scalarChat(world, rng) },
    tasks: factTasks(world)
      .filter(({ band }) => band === 'frequent')
      .map((task) => ({ ...task, id: `preferences.${task.id}` })),
    drawPreference: (rng) => drawPreference(world, rng),
  };
}
