// The skills on which fusion is measured: four with an expert each, and one that no expert is tuned on.
import type { World } from '../facts.js';
import type { Answer } from '../part.js';
import type { Rng } from '../rng.js';
import { ALPHABET } from './alphabet.js';
import { ARITHMETIC } from './arithmetic.js';
import { CIPHER } from './cipher.js';
import type { Skill } from './exercise.js';
import type { SkillPart, SkillTask } from './skillPart.js';
import { skillPart } from './skillPart.js';
import { TABLE } from './table.js';
import { UNITS_SKILL } from './units.js';
import { isSolved } from './verdict.js';

export type { SkillPart, SkillTask } from './skillPart.js';

export const TUNED_SKILLS: readonly Skill[] = [ARITHMETIC, CIPHER, UNITS_SKILL, TABLE];
export const UNSEEN_SKILL: Skill = ALPHABET;

/** The parts of all skills, which need nothing of the world's facts: each has raw pages and tasks, and all but `unseen` a set of conversations by the skill's name. */
export function skillParts(_world: World, rng: Rng): SkillPart[] {
  return [...TUNED_SKILLS.map((skill) => skillPart(skill, true, rng)), skillPart(UNSEEN_SKILL, false, rng)];
}

/** Whether the final answer is right, by the name of the skill. One rule serves all: the solution has its form with it. */
export const skillCheckers: Readonly<Record<string, (task: SkillTask, answer: Answer) => boolean>> = Object.fromEntries(
  [...TUNED_SKILLS, UNSEEN_SKILL].map((skill) => [
    skill.name,
    (task: SkillTask, answer: Answer) => isSolved(task.solution, answer),
  ]),
);
