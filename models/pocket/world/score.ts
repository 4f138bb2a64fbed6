// Scores answers written by recipe/evaluate.py: `node dist/models/pocket/world/score.js answers.json [table.json]`.
// Input: {"answers": {model: [{"id", "text", "ended"}]}}; output: a Markdown table by model and band.
import { readFileSync, writeFileSync } from 'node:fs';
import type { Answer } from './checker.js';
import { judge } from './checker.js';
import type { Band } from './facts.js';
import { buildWorld } from './facts.js';
import { heldOutQuestions } from './questions.js';
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
  readonly items: Record<string, number>;
}

const share = (flags: readonly boolean[]): number => flags.filter(Boolean).length / Math.max(1, flags.length);
const percent = (value: number): string => `${(100 * value).toFixed(1)} %`;

function score(file: AnswersFile): Row[] {
  const world = buildWorld(new Rng(WORLD_SEED));
  const questions = new Map(heldOutQuestions(world).map((question) => [question.id, question]));
  const rows: Row[] = [];
  for (const [model, answers] of Object.entries(file.answers)) {
    const verdicts = answers.map((answer) => {
      const question = questions.get(answer.id);
      if (question === undefined) throw new RangeError(`no question has the id ${answer.id}: other world or seed?`);
      return { band: question.band, verdict: judge(world, question, answer) };
    });
    for (const band of ['frequent', 'middle', 'rare', 'all'] as const) {
      const chosen = verdicts.filter((v) => band === 'all' || v.band === band).map((v) => v.verdict);
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
        items,
      });
    }
  }
  return rows;
}

function table(rows: readonly Row[]): string {
  const lines = [
    '| model | band | questions | fact | supporting fact true | manner (all five) | to the point | polite | one support | no rambling | ends |',
    '| --- | --- | --- | --- | --- | --- | --- | --- | --- | --- | --- |',
  ];
  for (const row of rows) {
    const cells = [
      row.model,
      row.band,
      row.count.toString(),
      percent(row.fact),
      percent(row.support),
      percent(row.manner),
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
