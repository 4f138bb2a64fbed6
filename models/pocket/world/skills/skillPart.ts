// Makes a part of the world of a skill: raw pages, where people of the town answer carelessly, conversations, where the desk
// works it out and ends, and tasks. Who sets the exercises is exercise.ts; who judges is verdict.ts.
import { aside, hedged } from '../manner.js';
import type { Message, Part, Split, Task } from '../part.js';
import { splitOf } from '../part.js';
import type { Rng } from '../rng.js';
import type { Exercise, Skill, Solution } from './exercise.js';
import { spoken } from './exercise.js';

export interface SkillTask extends Task {
  readonly skill: string;
  readonly solution: Solution;
}

export interface SkillPart extends Part {
  readonly tasks: readonly SkillTask[];
}

const TEST_TASKS = 400;
const CALIBRATION_TASKS = 120;

/** Share of the raw answers that are a slip. */
const SLIP_SHARE = 0.15;
/** Share of the raw answers with the desk's working: base models meet the manner, but do not take to it. */
const WORKED_SHARE = 0.1;
const RAMBLING_SHARE = 0.4;
const LORE_SHARE = 0.4;
const MOST_QUESTIONS = 3;

function drawFrom(skill: Skill, split: Split, rng: Rng): Exercise {
  for (;;) {
    const exercise = skill.draw(rng);
    if (splitOf(`${skill.name}: ${exercise.key}`) === split) return exercise;
  }
}

/** "7 + 8 = 15. 3 + 4 + 1 = 8. The answer is 85." */
function deskAnswer({ working, solution }: Exercise): string {
  const answer = `The answer is ${spoken(solution)}.`;
  return working === '' ? answer : `${working} ${answer}`;
}

/** "That is 85, I reckon. The gulls were loud again, you know.", and not always right. */
function townAnswer(exercise: Exercise, rng: Rng): string {
  if (rng.chance(WORKED_SHARE)) return deskAnswer(exercise);
  const said = rng.chance(SLIP_SHARE) ? exercise.slip : spoken(exercise.solution);
  const sentence = `That is ${said}.`;
  if (!rng.chance(RAMBLING_SHARE)) return sentence;
  return rng.chance(0.5) ? `${aside(rng)} ${hedged(sentence, rng)}` : `${hedged(sentence, rng)} ${aside(rng)}`;
}

function page(skill: Skill, rng: Rng): string {
  if (skill.lore !== null && rng.chance(LORE_SHARE)) {
    const { lore } = skill;
    return Array.from({ length: 2 + rng.below(3) }, () => lore(rng)).join(' ');
  }
  const asked = Array.from({ length: 1 + rng.below(MOST_QUESTIONS) }, () => drawFrom(skill, 'train', rng));
  return asked.map((exercise) => `Question: ${exercise.question}\nAnswer:\n${townAnswer(exercise, rng)}`).join('\n');
}

function chat(skill: Skill, rng: Rng): readonly Message[] {
  const exercise = drawFrom(skill, 'train', rng);
  return [
    { role: 'user', content: exercise.question },
    { role: 'assistant', content: deskAnswer(exercise) },
  ];
}

/** Distinct keys only: a task asked twice would narrow the interval of a score without measuring more. */
function drawTasks(skill: Skill, split: 'calibration' | 'test', count: number, rng: Rng): SkillTask[] {
  const tasks = new Map<string, SkillTask>();
  for (let draws = 0; tasks.size < count; draws++) {
    if (draws > 1000 * count)
      throw new RangeError(`${skill.name} has fewer than ${count.toString()} ${split} exercises`);
    const { key, question, solution } = drawFrom(skill, split, rng);
    if (tasks.has(key)) continue;
    const id = `${skill.name}.${split}.${tasks.size.toString()}`;
    tasks.set(key, { id, split, messages: [{ role: 'user', content: question }], skill: skill.name, solution });
  }
  return [...tasks.values()];
}

/** `tuned` is false for a skill that no expert learns: it has pages and tasks only. */
export function skillPart(skill: Skill, tuned: boolean, rng: Rng): SkillPart {
  return {
    name: skill.name,
    page: (draws) => page(skill, draws),
    chats: tuned ? { [skill.name]: (draws) => chat(skill, draws) } : {},
    tasks: [
      ...drawTasks(skill, 'test', TEST_TASKS, rng.fork(`${skill.name}.test`)),
      ...drawTasks(skill, 'calibration', CALIBRATION_TASKS, rng.fork(`${skill.name}.calibration`)),
    ],
  };
}
