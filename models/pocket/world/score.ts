// Scores answers written by recipe/evaluate.py: `node dist/models/pocket/world/score.js answers.json [table.json]`.
// Tasks are those of the facts (build/tasks/facts.jsonl). Input: {"answers": {model: [{"id", "text", "ended"}]}}; output: a Markdown table by model and band.
import { readFileSync, writeFileSync } from 'node:fs';
import { helpfulness, judge } from './checker.js';
import type { Band } from './facts.js';
import { buildWorld } from './facts.js';
import type { Answer } from './part.js';
import { factTasks } from './questions.js';
import { Rng } from './rng.js';
import { WORLD_SEED } from './seed.js';

interface AnswersFile {
  readonly answers: Record<string, readonly (Answer & { readonly id: string })[]>;
}

interface Row {
  readonly model: string;
  readonly band: Band | 'all';
  readonly count: number;
  readonly fact: number;
  readonly support: number;
  readonly manner: number;
  readonly helpfulness: number;
  readonly items: Record<string, number>;
}

const share = (flags: readonly boolean[]): number => flags.filter(Boolean).length / Math.max(1, flags.length);
const percent = (value: number): string => `${(100 * value).toFixed(1)} %`;

function score(file: AnswersFile): Row[] {
  const world = buildWorld(new Rng(WORLD_SEED));
  const tasks = new Map(factTasks(world).map((task) => [task.id, task]));
  const rows: Row[] = [];
  for (const [model, answers] of Object.entries(file.answers)) {
    const verdicts = answers.map((answer) => {
      const task = tasks.get(answer.id);
      if (task === undefined) throw new RangeError(`no task has the id ${answer.id}: other world or seed?`);
      return { band: task.band, verdict: judge(world, task, answer), helpfulness: helpfulness(world, task, answer) };
    });
    for (const band of ['frequent', 'middle', 'rare', 'all'] as const) {
      const ofBand = verdicts.filter((v) => band === 'all' || v.band === band);
      const chosen = ofBand.map((v) => v.verdict);
      const items: Record<string, number> = {};
      for (const item of ['toThePoint', 'polite', 'oneSupportingFact', 'noRambling', 'ends'] as const) {
        items[item] = share(chosen.map((v) => v.manner[item]));
      }
      rows.push({
        model,
        band,
        count: chosen.length,
        fact: share(chosen.map((v) => v.fact)),
        support: share(chosen.flatMap((v) => (v.support === null ? [] : [v.support]))),
        manner: share(chosen.map((v) => v.mannered)),
        helpfulness: ofBand.reduce((sum, v) => sum + v.helpfulness, 0) / Math.max(1, ofBand.length),
        items,
      });
    }
  }
  return rows;
}

function table(rows: readonly Row[]): string {
  const lines = [
    '| model | band | questions | fact | supporting fact true | manner (all five) | helpfulness | to the point | polite | one support | no rambling | ends |',
    '| --- | --- | --- | --- | --- | --- | --- | --- | --- | --- | --- | --- |',
  ];
  for (const row of rows) {
    const cells = [
      row.model,
      row.band,
      row.count.toString(),
      percent(row.fact),
      percent(row.support),
      percent(row.manner),
      row.helpfulness.toFixed(2),
    ];
    lines.push(`| ${[...cells, ...Object.values(row.items).map(percent)].join(' | ')} |`);
  }
  return lines.join('\n');
}

const [answersPath, tablePath] = process.argv.slice(2);
if (answersPath === undefined) throw new Error('usage: score.js ANSWERS.json [TABLE.json]');
const rows = score(JSON.parse(readFileSync(answersPath, 'utf8')) as AnswersFile);
process.stdout.write(`${table(rows)}\n`);
if (tablePath !== undefined) writeFileSync(tablePath, `${JSON.stringify({ seed: WORLD_SEED, rows }, null, 2)}\n`);
