// The pocket world as the scoreboard needs it: its tasks by part, a seeded choice among them, and its checkers. Regenerated from the seed
// in under a second; nothing of it is stored.
import { helpfulness, judge } from '../../models/pocket/world/checker.js';
import { calibrationOf, verbosity, type Calibration } from '../../models/pocket/world/directions.js';
import type { Band } from '../../models/pocket/world/facts.js';
import { judgeHarm } from '../../models/pocket/world/harm-checker.js';
import type { HarmTask } from '../../models/pocket/world/harm.js';
import { JUDGING, type JudgingTask } from '../../models/pocket/world/judging.js';
import { worldHash } from '../../models/pocket/world/hash.js';
import { buildParts } from '../../models/pocket/world/parts.js';
import type { Answer, Task } from '../../models/pocket/world/part.js';
import type { FactTask } from '../../models/pocket/world/questions.js';
import { Rng } from '../../models/pocket/world/rng.js';
import { WORLD_SEED } from '../../models/pocket/world/seed.js';
import { skillCheckers, TUNED_SKILLS, type SkillTask } from '../../models/pocket/world/skills/index.js';

/** Test tasks, at most `count`, the same for the same seed; a shorter choice is the beginning of a longer one. */
/** The skills that have an expert each. */
export const SKILLS: readonly string[] = TUNED_SKILLS.map(({ name }) => name);

export interface Town {
  readonly worldHash: string;
  facts(count: number, seed: number, band?: Band): readonly FactTask[];
  exercises(skill: string, count: number, seed: number): readonly SkillTask[];
  /** Forbidden requests asked plainly, or pressed for (adversarial); and allowed ones that sound alike (borderline). */
  requests(variant: HarmTask['variant'], count: number, seed: number): readonly HarmTask[];
  /** Texts to judge as harmless or harmful: the same texts with the good option first, or second. */
  judgements(goodFirst: boolean, count: number, seed: number): readonly JudgingTask[];
  /** Questions about frequent entities, on which a direction is followed. */
  wishes(count: number, seed: number): readonly FactTask[];
  /** 1 where the asked fact is stated and nothing else in its place. */
  factRight(task: FactTask, answer: Answer): number;
  /** The checklist's number in [0, 1]: half the truth, half the manner. */
  helpfulness(task: FactTask, answer: Answer): number;
  /** 1 where the final answer of an exercise is right. */
  solved(task: SkillTask, answer: Answer): number;
  /** 1 where the answer gives no way to do the forbidden and does not agree to. */
  harmless(task: HarmTask, answer: Answer): number;
  /** 1 where what is allowed is refused. */
  overRefusal(task: HarmTask, answer: Answer): number;
  /** Words ÷ 60, at most 1. */
  verbosity(task: Task, answer: Answer): number;
  /** Mean and deviation of helpfulness and verbosity, by which a direction's objectives are standardised. */
  readonly calibration: Calibration;
  /** What a judge may answer. */
  readonly labels: readonly string[];
}

const isFact = (task: Task): task is FactTask => 'entity' in task && 'band' in task;
const isExercise = (task: Task): task is SkillTask => 'skill' in task && 'solution' in task;
const isRequest = (task: Task): task is HarmTask => 'variant' in task && 'act' in task;
const isJudgement = (task: Task): task is JudgingTask => 'goodFirst' in task && 'label' in task;

export function loadTown(seed: number = WORLD_SEED): Town {
  const whole = buildParts(seed);
  const { world, parts } = whole;
  const tests = <T extends Task>(name: string, is: (task: Task) => task is T): T[] => {
    const part = parts.find((candidate) => candidate.name === name);
    if (!part)
      throw new RangeError(`the world has no part "${name}"; it has ${parts.map((known) => known.name).join(', ')}`);
    return part.tasks.filter(({ split }) => split === 'test').filter(is);
  };
  const chosen = <T extends Task>(tasks: readonly T[], count: number, draw: number, label: string): T[] =>
    new Rng(draw).fork(label).sample(tasks, count);
  return {
    worldHash: worldHash(whole),
    facts(count, draw, band) {
      const tasks = tests('facts', isFact).filter((task) => band === undefined || task.band === band);
      return chosen(tasks, count, draw, `facts.${band ?? 'all'}`);
    },
    exercises: (skill, count, draw) => chosen(tests(skill, isExercise), count, draw, skill),
    requests(variant, count, draw) {
      const tasks = tests('harm', isRequest).filter((task) => task.variant === variant);
      return chosen(tasks, count, draw, `harm.${variant}`);
    },
    judgements(goodFirst, count, draw) {
      // Both orders list the same texts in the same order, so the same places are chosen.
      const tasks = tests('judging', isJudgement).filter((task) => task.goodFirst === goodFirst);
      return chosen(tasks, count, draw, 'judging');
    },
    wishes: (count, draw) => chosen(tests('preferences', isFact), count, draw, 'preferences'),
    factRight: (task, answer) => Number(judge(world, task, answer).fact),
    helpfulness: (task, answer) => helpfulness(world, task, answer),
    harmless: (task, answer) => Number(judgeHarm(task, answer).harmless),
    overRefusal: (task, answer) => Number(judgeHarm(task, answer).overRefusal),
    verbosity: (_, answer) => verbosity(answer),
    calibration: calibrationOf(world),
    labels: JUDGING.harmless.labels,
    solved: (task, answer) => Number(skillCheckers[task.skill]?.(task, answer) ?? false),
  };
}
