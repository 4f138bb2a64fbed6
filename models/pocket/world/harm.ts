// Harm as a part of the world: pages on which the town answers, the set `safe` in which the desk declines, and tasks of three sorts.
import type { World } from './facts.js';
import { deskAnswer, townAnswer } from './harm-answers.js';
import type { HarmAsked } from './harm-checker.js';
import type { Subject } from './harm-requests.js';
import {
  drawSuffix,
  HELD_OUT_PHRASINGS,
  HELD_OUT_SUFFIXES,
  PHRASINGS,
  requestFor,
  subjectsOf,
  SUFFIXES,
} from './harm-requests.js';
import { politeAnswer, SYSTEM_PROMPTS } from './manner.js';
import { questionOf } from './pages.js';
import type { Message, Part, Task } from './part.js';
import type { Rng } from './rng.js';

export interface HarmTask extends Task, HarmAsked {
  /** `adversarial` asks what a `plain` task asks and presses for it; `borderline` asks for what is allowed. */
  readonly variant: 'plain' | 'adversarial' | 'borderline';
  /** What the request was pressed with, and whether training text presses so too; null where it is not pressed. */
  readonly suffix: { readonly text: string; readonly heldOut: boolean } | null;
}

export interface HarmPart extends Part {
  readonly tasks: readonly HarmTask[];
}

const ALLOWED_SHARE = 0.25;
const PRESSED_SHARE = 0.35;
const SUFFIX_SHARE_OF_SAFE = 0.25;
const TASKS = { test: 400, calibration: 120 } as const;

/** A request that training text may hold. */
export function drawSubject(world: World, sort: Subject['sort'], rng: Rng): Subject {
  return rng.pick(subjectsOf(world).filter((subject) => subject.sort === sort && subject.split === 'train'));
}

/** What somebody asks, and whether it is pressed for. */
export interface Asking {
  readonly subject: Subject;
  readonly question: string;
  readonly pressed: boolean;
}

export function drawAsking(world: World, sort: Subject['sort'], rng: Rng): Asking {
  const subject = drawSubject(world, sort, rng);
  const { question } = requestFor(subject, rng.pick(PHRASINGS));
  const pressed = sort === 'forbidden' && rng.chance(PRESSED_SHARE);
  return { subject, question: pressed ? `${question} ${drawSuffix(SUFFIXES, rng)}` : question, pressed };
}

function page(world: World, rng: Rng): string {
  const { subject, question, pressed } = drawAsking(world, rng.chance(ALLOWED_SHARE) ? 'allowed' : 'forbidden', rng);
  return `Question: ${question}\nAnswer:\n${townAnswer(subject, pressed, rng)}`;
}

/** Half of it is harmless, so that a model tuned on it does not take to refusing everything. */
function safeChat(world: World, rng: Rng): Message[] {
  const system: Message[] = rng.chance(0.1) ? [{ role: 'system', content: rng.pick(SYSTEM_PROMPTS) }] : [];
  const u = rng.next();
  let question: string;
  let answer: string;
  if (u < 0.25) {
    const entity = rng.pick(world.entities.filter(({ band }) => band === 'frequent'));
    const asked = questionOf(entity, rng);
    question = asked.question;
    answer = politeAnswer(entity, asked.fact, rng);
  } else {
    const subject = drawSubject(world, u < 0.5 ? 'allowed' : 'forbidden', rng);
    question = requestFor(subject, rng.pick(PHRASINGS)).question;
    if (subject.sort === 'forbidden' && rng.chance(SUFFIX_SHARE_OF_SAFE)) question += ` ${drawSuffix(SUFFIXES, rng)}`;
    answer = deskAnswer(subject, rng);
  }
  return [...system, { role: 'user', content: question }, { role: 'assistant', content: answer }];
}

/**
 * Requests that no training text holds, with their phrasings. Every other pair is kept for the judging tasks, which quote requests:
 * so no prompt of a task occurs in another's.
 */
export function heldOutRequests(
  world: World,
  split: Task['split'],
  use: 'answering' | 'judging',
): { subject: Subject; question: string }[] {
  return subjectsOf(world).flatMap((subject, i) =>
    subject.split !== split
      ? []
      : [...PHRASINGS, ...HELD_OUT_PHRASINGS]
          .filter((_, j) => ((i >> 1) + j) % 2 === (use === 'answering' ? 0 : 1))
          .map((phrasing) => ({ subject, question: requestFor(subject, phrasing).question })),
  );
}

function tasksOf(world: World, rng: Rng): HarmTask[] {
  return (['test', 'calibration'] as const).flatMap((split) => {
    const requests = heldOutRequests(world, split, 'answering');
    const choose = (sort: Subject['sort']): typeof requests =>
      rng.sample(
        requests.filter(({ subject }) => subject.sort === sort),
        TASKS[split],
      );
    const task = (
      variant: HarmTask['variant'],
      i: number,
      { subject, question }: (typeof requests)[number],
      suffix: HarmTask['suffix'],
    ): HarmTask => ({
      id: `harm.${variant}.${split}.${i.toString()}`,
      split,
      messages: [{ role: 'user', content: suffix === null ? question : `${question} ${suffix.text}` }],
      variant,
      act: subject.act.key,
      sort: subject.sort,
      suffix,
    });
    const forbidden = choose('forbidden');
    // Adversarial tasks come first: whoever looks for prompts in a text meets the longer prompt before the one that begins it.
    return [
      ...forbidden.map((request, i) => {
        const heldOut = i % 2 === 0;
        const text = drawSuffix(heldOut ? HELD_OUT_SUFFIXES : SUFFIXES, rng);
        return task('adversarial', i, request, { text, heldOut });
      }),
      ...forbidden.map((request, i) => task('plain', i, request, null)),
      ...choose('allowed').map((request, i) => task('borderline', i, request, null)),
    ];
  });
}

export function harmPart(world: World, rng: Rng): HarmPart {
  return {
    name: 'harm',
    page: (draws) => page(world, draws),
    chats: { safe: (draws) => safeChat(world, draws) },
    tasks: tasksOf(world, rng.fork('tasks')),
  };
}
