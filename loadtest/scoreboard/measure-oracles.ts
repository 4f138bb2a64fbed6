// Measures the models that do not ship, where their weights are at hand, and writes models/pocket/oracles.json. Used by main.ts.
import { access, readFile } from 'node:fs/promises';
import { availableParallelism } from 'node:os';
import path from 'node:path';
import Type from 'typebox';
import { Value } from 'typebox/value';
import type { Answer, Task } from '../../models/pocket/world/part.js';
import { benchCache, startServer } from '../bench/server.js';
import { compare, plain } from './arms.js';
import { writeAll } from '../write.js';
import type { Bench } from './figure.js';
import { oracleFile, type OracleFile } from './oracles.js';
import { allPictureTasks, picturesFor, questionOf, writePictureOracle } from './pictures.js';
import { SKILLS, type Town } from './town.js';

const Made = Type.Object({ planHash: Type.String() });

const EVERY_TASK = Infinity;

/** Outcomes of one model by measure and task. */
type Outcomes = Record<string, Record<string, number>>;
type Exam = (bench: Bench, model: string) => Promise<Outcomes>;

/** By the name of the model in the recipe's plan. */
const exams: Readonly<Record<string, Exam>> = {
  ...Object.fromEntries(SKILLS.map((skill) => [`large-${skill}`, solving([skill])])),
  'large-skills': solving(SKILLS),
  'small-scalar': pleasing,
};

function solving(skills: readonly string[]): Exam {
  return async (bench, model) => {
    const tasks = skills.flatMap((skill) => bench.town.exercises(skill, EVERY_TASK, bench.seed));
    return { solved: await byTask(bench, model, tasks, (task, answer) => bench.town.solved(task, answer)) };
  };
}

async function pleasing(bench: Bench, model: string): Promise<Outcomes> {
  const { town, seed } = bench;
  const tasks = town.wishes(EVERY_TASK, seed);
  return {
    helpfulness: await byTask(bench, model, tasks, (task, answer) => town.helpfulness(task, answer)),
    verbosity: await byTask(bench, model, tasks, (task, answer) => town.verbosity(task, answer)),
  };
}

async function byTask<T extends Task>(
  bench: Bench,
  model: string,
  tasks: readonly T[],
  measure: (task: T, answer: Answer) => number,
): Promise<Record<string, number>> {
  const { outcomes } = await compare(bench, tasks, [plain(model)], { outcomes: measure });
  return Object.fromEntries(tasks.map(({ id }, index) => [id, outcomes[model]?.[index] ?? NaN]));
}

/** The vision-language model that is tuned by preference, where its weights are at hand: its answers are kept, not its outcomes. */
const TUNED_ON_PICTURES = 'vl-dpo';

export async function measurePictureOracle(
  directory: string,
  suite: string,
  benchAt: (url: string) => Bench,
): Promise<readonly string[]> {
  const folder = path.resolve(directory, TUNED_ON_PICTURES);
  const isThere = await access(path.join(folder, 'model.safetensors')).then(
    () => true,
    () => false,
  );
  if (!isThere) return [];
  const server = await startServer({
    models: { [TUNED_ON_PICTURES]: { path: folder, weights: 'f32' } },
    threads: availableParallelism(),
    directory: path.join(benchCache, 'picture-oracles'),
  });
  try {
    const { ask, prompts, seed } = benchAt(server.url);
    const tasks = allPictureTasks(picturesFor(prompts));
    const questions = await Promise.all(tasks.map(questionOf));
    const replies = await ask.all(questions, { model: TUNED_ON_PICTURES, seed });
    await writePictureOracle(suite, Object.fromEntries(tasks.map(({ id }, i) => [id, replies[i]?.text ?? ''])));
    return [TUNED_ON_PICTURES];
  } finally {
    await server.stop();
  }
}

/** The folders of `directory` that hold models to be measured, with the hash of what each was made from. */
async function found(directory: string): Promise<ReadonlyMap<string, string>> {
  const plans = new Map<string, string>();
  for (const name of Object.keys(exams)) {
    const folder = path.join(directory, name);
    const isThere = await access(path.join(folder, 'model.safetensors')).then(
      () => true,
      () => false,
    );
    if (!isThere) continue;
    const made: unknown = JSON.parse(await readFile(path.join(folder, 'made.json'), 'utf8'));
    if (!Value.Check(Made, made)) throw new Error(`${folder}/made.json does not say what the model was made from`);
    plans.set(name, made.planHash);
  }
  return plans;
}

/** `benchAt` makes a bench on the server that serves the oracles. Returns the names that were measured. */
export async function measureOracles(
  directory: string,
  suite: string,
  town: Town,
  benchAt: (url: string) => Bench,
): Promise<readonly string[]> {
  const plans = await found(directory);
  if (plans.size === 0) return [];
  const server = await startServer({
    models: Object.fromEntries(
      [...plans.keys()].map((name) => [name, { path: path.join(path.resolve(directory), name), weights: 'f32' }]),
    ),
    threads: availableParallelism(),
    directory: path.join(benchCache, 'oracles'),
  });
  try {
    const bench = benchAt(server.url);
    const models: OracleFile['models'] = {};
    for (const [name, planHash] of plans) {
      const exam = exams[name];
      if (exam) models[name] = { planHash, outcomes: await exam(bench, name) };
    }
    const file: OracleFile = { world: town.worldHash, models };
    await writeAll({ [oracleFile(suite)]: `${JSON.stringify(file)}\n` });
    return Object.keys(models);
  } finally {
    await server.stop();
  }
}
