// Several ways of answering, the arms of a comparison, asked the same tasks and measured in the same ways.
import type { Answer, Task } from '../../models/pocket/world/part.js';
import type { Outcomes } from './bootstrap.js';
import type { Bench } from './figure.js';

export interface Arm {
  /** As the column and the table have it. */
  readonly name: string;
  readonly model: string;
  readonly decoding?: object;
  /** 0, greedy, unless given. */
  readonly temperature?: number;
}

export const plain = (model: string, name: string = model): Arm => ({ name, model });

/** By the name of each measure: a column per arm, an outcome per task. */
export async function compare<T extends Task, M extends string>(
  { ask, seed }: Bench,
  tasks: readonly T[],
  arms: readonly Arm[],
  measures: Readonly<Record<M, (task: T, answer: Answer) => number>>,
): Promise<Readonly<Record<M, Outcomes>>> {
  const replies = new Map<string, readonly Answer[]>();
  for (const { name, ...asked } of arms) replies.set(name, await ask.all(tasks, { ...asked, seed }));
  const column = (measure: (task: T, answer: Answer) => number, answers: readonly Answer[]): number[] =>
    tasks.flatMap((task, index) => {
      const answer = answers[index];
      return answer ? [measure(task, answer)] : [];
    });
  const columns = (measure: (task: T, answer: Answer) => number): Outcomes =>
    Object.fromEntries([...replies].map(([name, answers]) => [name, column(measure, answers)]));
  const names = Object.keys(measures) as M[];
  return Object.fromEntries(names.map((name) => [name, columns(measures[name])])) as Record<M, Outcomes>;
}
