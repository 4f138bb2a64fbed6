// Dynamic logit fusion: small experts lift the large base nearly to the large tuned model, better than fixed weights, and do no harm on
// what no expert knows. The paper's figure is a ratio of averages over the skills.
import type { SkillTask } from '../../../models/pocket/world/skills/index.js';
import { compare, plain, type Arm } from '../arms.js';
import { estimate, type Mean, type Outcomes } from '../bootstrap.js';
import { costOf } from '../cost.js';
import { above, atLeast, figure, meanOf, rate, type Bench, type RowModule } from '../figure.js';
import { readOracles } from '../oracles.js';
import { SKILLS } from '../town.js';

const SINGLE = 0.964;
const MULTI = 0.863;

const base = 'pocket';
const reference = 'pocket-small';
const expertOf = (skill: string): string => `pocket-${skill}`;
const experts = SKILLS.map(expertOf);

const dynamic = (members: readonly string[]): Arm & { readonly decoding: object } => ({
  name: 'dynamic',
  model: base,
  decoding: { method: 'fusion', base, reference, experts: members },
});
/** The same weight for every expert. */
const fixed = (members: readonly string[], weight: number, name: string): Arm => ({
  name,
  model: base,
  decoding: { method: 'static_fusion', base, reference, experts: members.map((model) => ({ model, weight })) },
});
const fixedArms = [fixed(experts, 1, 'static 1'), fixed(experts, 1 / experts.length, 'static 1/4')];

interface Exercises {
  readonly tasks: readonly SkillTask[];
  /** The columns base, expert, static 1, dynamic, and tuned: the large model tuned on this skill. */
  readonly single: Outcomes;
  /** static 1, static 1/4, dynamic with all experts, and tuned: the large model tuned on all skills. */
  readonly multi: Outcomes;
}

async function exercises(bench: Bench, skill: string): Promise<Exercises> {
  const { town, prompts, seed, suite } = bench;
  const tasks = town.exercises(skill, prompts, seed);
  const oracles = await readOracles(suite, town.worldHash);
  const own = expertOf(skill);
  const solved = async (arms: readonly Arm[]): Promise<Outcomes> => {
    const measured = await compare(bench, tasks, arms, { solved: (task, answer) => town.solved(task, answer) });
    return measured.solved;
  };
  const single = await solved([plain(base, 'base'), plain(own, 'expert'), fixed([own], 1, 'static 1'), dynamic([own])]);
  const multi = await solved([...fixedArms, dynamic(experts)]);
  return {
    tasks,
    single: { ...single, tuned: oracles.column(`large-${skill}`, 'solved', tasks) },
    multi: { ...multi, tuned: oracles.column('large-skills', 'solved', tasks) },
  };
}

/** Of a column over the skills. */
const average = (mean: Mean, column: string): number => meanOf(SKILLS.map((_, group) => mean(column, group)));
const overTuned = (column: string) => (mean: Mean) => average(mean, column) / average(mean, 'tuned');

export const fusionRow: RowModule = {
  method: 'fusion',
  claim:
    'Fan et al. 2024 (arXiv:2406.15480): reaches 96.4 % of the fully tuned large model with one expert and 86.3 % with several (ratios of averages), more than fixed weights, and holds on unseen tasks.',
  models: [base, reference, ...experts],
  decoders: ['fusion', 'static_fusion'],
  async measure(bench) {
    const { town, timed, prompts, seed } = bench;
    const all: Exercises[] = [];
    for (const skill of SKILLS) all.push(await exercises(bench, skill));
    const [single, multi] = [all.map((one) => one.single), all.map((one) => one.multi)];
    const unseenTasks = town.exercises('unseen', prompts, seed);
    const { solved: unseen } = await compare(
      bench,
      unseenTasks,
      [plain(base, 'base'), ...fixedArms, dynamic(experts)],
      { solved: (task, answer) => town.solved(task, answer) },
    );
    const warm = [plain(base, 'base'), dynamic(experts)].map((arm) => ({ ...arm, temperature: 1 }));
    const { solved: sampled } = await compare(bench, unseenTasks, warm, {
      solved: (task, answer) => town.solved(task, answer),
    });
    const ratio = (groups: readonly Outcomes[], column: string) => estimate(groups, overTuned(column), seed);
    const ratios = (groups: readonly Outcomes[], columns: readonly string[]): Record<string, number> =>
      Object.fromEntries(columns.map((column) => [column, ratio(groups, column).value]));
    const [ofSingle, ofMulti] = [ratio(single, 'dynamic'), ratio(multi, 'dynamic')];
    const gain = estimate(single, (mean) => average(mean, 'dynamic') - average(mean, 'static 1'), seed);
    const gainOfMulti = estimate(
      multi,
      (mean) => average(mean, 'dynamic') - Math.max(average(mean, 'static 1'), average(mean, 'static 1/4')),
      seed,
    );
    const onUnseen = estimate([unseen], (mean) => mean('dynamic') - mean('base'), seed);
    return {
      figures: [
        figure('fusion', 'one expert ÷ tuned large model', ofSingle, {
          baselines: ratios(single, ['base', 'expert', 'static 1']),
          target: atLeast(SINGLE),
          note: 'ratio of averages over the four skills',
        }),
        figure('fusion', 'one expert, dynamic − static', gain, { target: above(0) }),
        figure('fusion', 'four experts ÷ large model tuned on all', ofMulti, {
          baselines: ratios(multi, ['static 1', 'static 1/4']),
          target: atLeast(MULTI),
          cost: await costOf(timed, unseenTasks, dynamic(experts), base),
          note: 'ratio of averages over the four skills',
        }),
        figure('fusion', 'four experts, dynamic − the better static', gainOfMulti, { target: above(0) }),
        figure('fusion', 'unseen task, dynamic − base', onUnseen, {
          baselines: Object.fromEntries(Object.entries(unseen).map(([name, column]) => [name, meanOf(column)])),
          target: atLeast(0),
          note: 'exercises of a skill that no expert was tuned on, and the bases were',
        }),
        rate('fusion', 'unseen task, sampled', sampled, 'dynamic', seed, {
          note: 'at temperature 1: the law of the answers, not its likeliest letter',
        }),
        ...all.flatMap(({ single, multi }, s) => [
          rate('fusion', `${SKILLS[s] ?? ''}, one expert`, single, 'dynamic', seed),
          rate('fusion', `${SKILLS[s] ?? ''}, four experts`, multi, 'dynamic', seed),
        ]),
      ],
      curves: [],
    };
  },
};
