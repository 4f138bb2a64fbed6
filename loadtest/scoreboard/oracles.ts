// What models do that the suite does without: tuned large models, too large to ship, and the models that methods are compared with. They
// were measured when the suite was trained; models/pocket/oracles.json holds every outcome, task by task, so that a figure can be
// compared with them on its own tasks. measure-oracles.ts writes it.
import { readFile } from 'node:fs/promises';
import path from 'node:path';
import Type from 'typebox';
import { Value } from 'typebox/value';

/** By task, by what was measured, by model. */
export const OracleFile = Type.Object({
  world: Type.String(),
  models: Type.Record(
    Type.String(),
    Type.Object({
      planHash: Type.String(),
      outcomes: Type.Record(Type.String(), Type.Record(Type.String(), Type.Number())),
    }),
  ),
});
export type OracleFile = Type.Static<typeof OracleFile>;

export interface Oracles {
  /** Outcomes of these tasks. Throws where the model or a task was not measured. */
  column(model: string, measure: string, tasks: readonly { readonly id: string }[]): readonly number[];
}

export const oracleFile = (suite: string): string => path.join(suite, 'oracles.json');

/** Throws an Error where the file is missing or of another world. */
export async function readOracles(suite: string, worldHash: string): Promise<Oracles> {
  const remedy = 'Train the models that do not ship and run `npm run scoreboard -- --oracles`.';
  const file = oracleFile(suite);
  const text = await readFile(file, 'utf8').catch(() => null);
  if (text === null) throw new Error(`There is no ${file}. ${remedy}`);
  const parsed: unknown = JSON.parse(text);
  if (!Value.Check(OracleFile, parsed)) throw new Error(`${file} has not the form of measured oracles. ${remedy}`);
  const { world, models } = parsed;
  if (world !== worldHash)
    throw new Error(`${file} is of world ${world.slice(0, 12)}, the tasks are of ${worldHash.slice(0, 12)}. ${remedy}`);
  return {
    column: (model, measure, tasks) =>
      tasks.map(({ id }) => {
        const outcome = models[model]?.outcomes[measure]?.[id];
        if (outcome === undefined) throw new Error(`${file} has no "${measure}" of ${model} for ${id}. ${remedy}`);
        return outcome;
      }),
  };
}
