// DCD over the projections of the pocket's vision-language model: hallucination beside general ability, against the model as it is, VCD,
// the negative projection alone, and the model tuned on the same preference triples.
import type { PictureTask, PictureTaskKind } from '../../../models/pocket/world/pictures/tasks.js';
import { estimate, type Outcomes } from '../bootstrap.js';
import { costOf } from '../cost.js';
import { figure, rate, type Bench, type Figure, type RowModule, type Target } from '../figure.js';
import {
  ABILITY_KINDS,
  allPictureTasks,
  faultsOf,
  isRight,
  picturesFor,
  PRESENCE,
  questionOf,
  readPictureOracle,
  tasksOf,
} from '../pictures.js';

const arms: Readonly<Record<string, string>> = {
  dcd: 'pocket-dcd',
  'negative only': 'pocket-dcd-negative',
  vcd: 'pocket-vcd',
  base: 'pocket-vl',
};

const DPO = 'tuned by DPO';

/** Answers by the name of the arm, one per task. */
type Answers = Readonly<Record<string, readonly string[]>>;

async function asked({ ask, seed, suite }: Bench, tasks: readonly PictureTask[]): Promise<Answers> {
  const questions = await Promise.all(tasks.map(questionOf));
  const answers: Record<string, readonly string[]> = {};
  for (const [name, model] of Object.entries(arms))
    answers[name] = (await ask.all(questions, { model, seed })).map(({ text }) => text);
  const tuned = await readPictureOracle(suite);
  return tuned ? { ...answers, [DPO]: tasks.map(({ id }) => tuned.get(id) ?? '') } : answers;
}

const measured = (
  tasks: readonly PictureTask[],
  answers: Answers,
  of: (task: PictureTask, text: string) => number,
): Outcomes =>
  Object.fromEntries(
    Object.entries(answers).map(([name, texts]) => [name, tasks.map((task, i) => of(task, texts[i] ?? ''))]),
  );

/** The interval of a difference does not lie below 0. */
const notBelow: Target = ({ interval: [, high] }) => ({ text: 'not below', holds: high >= 0 });
const better: Target = ({ interval: [low] }) => ({ text: '> 0, interval and all', holds: low > 0 });
const notAbove: Target = ({ interval: [low] }) => ({ text: 'not above', holds: low <= 0 });

export const dcdRow: RowModule = {
  method: 'dcd',
  claim:
    'arXiv:2504.08809: a negative projection learned apart from the positive one brings hallucination down as far as DPO on the same triples does, keeps general ability, and beats handcrafted VCD.',
  models: Object.values(arms),
  decoders: ['dcd', 'vcd'],
  async measure(bench) {
    const { timed, prompts, seed } = bench;
    const all = allPictureTasks(picturesFor(prompts));
    const figures: Figure[] = [];
    const right = async (kind: PictureTaskKind): Promise<Outcomes> => {
      const tasks = tasksOf(kind, all);
      return measured(tasks, await asked(bench, tasks), isRight);
    };
    const presence: Outcomes[] = [];
    for (const kind of PRESENCE) {
      const outcomes = await right(kind);
      presence.push(outcomes);
      figures.push(rate('dcd', `there or not, ${kind}`, outcomes, 'dcd', seed, { note: POPE[kind] ?? '' }));
    }
    const over = (groups: readonly Outcomes[], of: string, against: string) =>
      estimate(groups, (mean) => average(groups, (_, g) => mean(of, g) - mean(against, g)), seed);
    figures.push(figure('dcd', 'there or not: over vcd', over(presence, 'dcd', 'vcd'), { target: better }));
    const isTuned = presence[0]?.[DPO] !== undefined;
    if (isTuned)
      figures.push(figure('dcd', 'there or not: over DPO', over(presence, 'dcd', DPO), { target: notBelow }));

    const captions = tasksOf('caption', all);
    const told = await asked(bench, captions);
    const invents = measured(captions, told, (task, text) => Number(faultsOf(task, text).invented.length > 0));
    const share = measured(captions, told, (task, text) => faultsOf(task, text).invented.length);
    const named = measured(captions, told, (task, text) => faultsOf(task, text).named);
    const found = measured(captions, told, (task, text) => faultsOf(task, text).found / task.scene.groups.length);
    const chairOf = (arm: string) => estimate([share, named], (mean) => mean(arm, 0) / mean(arm, 1), seed);
    figures.push(
      rate('dcd', 'captions that invent something', invents, 'dcd', seed, { note: 'CHAIR’s rate of sentences' }),
      ...(isTuned ? [figure('dcd', 'captions: over DPO', over([invents], 'dcd', DPO), { target: notAbove })] : []),
      figure('dcd', 'invented among the things named', chairOf('dcd'), {
        baselines: Object.fromEntries(
          Object.keys(told)
            .filter((arm) => arm !== 'dcd')
            .map((arm) => [arm, chairOf(arm).value]),
        ),
        note: 'CHAIR’s rate of objects',
      }),
      rate('dcd', 'found among the things there', found, 'dcd', seed),
    );

    const abilities: Outcomes[] = [];
    for (const kind of ABILITY_KINDS) {
      const outcomes = await right(kind);
      abilities.push(outcomes);
      figures.push(rate('dcd', `general ability, ${kind}`, outcomes, 'dcd', seed));
    }
    const questions = await Promise.all(captions.slice(0, 12).map(questionOf));
    figures.push(
      figure('dcd', 'general ability: over base', over(abilities, 'dcd', 'base'), {
        target: notBelow,
        cost: await costOf(timed, questions, { model: arms['dcd'] ?? '' }, arms['base'] ?? ''),
        note: 'its time is relative to the same model, plain',
      }),
    );
    return { figures, curves: [] };
  },
};

const POPE: Readonly<Record<string, string>> = {
  random: 'POPE: half of the things asked for are there, the others are any',
  popular: 'POPE: the others are the kinds that pictures show most often',
  adversarial: 'POPE: the others are what usually goes with something that is there',
};

const average = <T>(items: readonly T[], of: (item: T, index: number) => number): number =>
  items.reduce((sum, item, index) => sum + of(item, index), 0) / items.length;
