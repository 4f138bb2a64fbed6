// Figures → what people read: a Markdown table, the page docs/scoreboard/README.md with its pictures, and the JSON document.
import { mkdir, readFile } from 'node:fs/promises';
import path from 'node:path';
import { writeAll } from '../write.js';
import { bars, plot, shown } from './chart.js';
import type { Curve, Figure } from './figure.js';

/** The document of `--json`. */
export interface Scoreboard {
  /** Hash of the world that the models and the tasks come from. */
  readonly world: string;
  readonly seed: number;
  readonly rows: readonly Figure[];
}

const BOARD = 'scoreboard.json';
/** What the pictures of curves are drawn from, so that a later measurement of one method can draw the others' again. */
const CURVES = 'curves.json';

/** The rows and curves of the page in `directory`, with those of `methods` replaced by new ones; in the order of `methods`. */
export async function updated(
  directory: string,
  fresh: { readonly board: Scoreboard; readonly curves: readonly Curve[] },
  methods: readonly string[],
): Promise<{ readonly board: Scoreboard; readonly curves: readonly Curve[] }> {
  const read = async (file: string): Promise<unknown> =>
    JSON.parse(await readFile(path.join(directory, file), 'utf8')) as unknown;
  // Written by this program alone.
  const board = (await read(BOARD)) as Scoreboard;
  const curves = (await read(CURVES)) as readonly Curve[];
  if (board.world !== fresh.board.world || board.seed !== fresh.board.seed)
    throw new Error(`${directory} is of another world or seed: measure every row, without --method`);
  const measured = new Set(fresh.board.rows.map(({ method }) => method));
  const of = <T extends { readonly method: string }>(before: readonly T[], after: readonly T[]): T[] =>
    methods.flatMap((method) => (measured.has(method) ? after : before).filter((row) => row.method === method));
  return { board: { ...board, rows: of(board.rows, fresh.board.rows) }, curves: of(curves, fresh.curves) };
}

export function table(figures: readonly Figure[]): string {
  const head =
    '| method | figure | value | 95 % | plain alternatives | asked | holds | forwards / token | time / token ÷ plain |';
  const rows = figures.map((row) => {
    const interval = row.interval ? `${shown(row.interval[0])} – ${shown(row.interval[1])}` : '';
    const baselines = Object.entries(row.baselines).map(([name, value]) => `${name} ${shown(value)}`);
    const holds = row.holds === null ? (row.value === null ? row.note : '') : row.holds ? 'yes' : '**no**';
    const number = (value: number | null): string => (value === null ? '' : shown(value));
    return `| ${[row.method, row.figure, number(row.value), interval, baselines.join(', '), row.target, holds, number(row.forwardsPerToken), number(row.timeRatio)].join(' | ')} |`;
  });
  return [head, '| --- | --- | --- | --- | --- | --- | --- | --- | --- |', ...rows].join('\n');
}

export interface Page {
  readonly board: Scoreboard;
  readonly curves: readonly Curve[];
  readonly claims: Readonly<Record<string, string>>;
  readonly prompts: number;
}

/** Writes scoreboard.json, curves.json, README.md and a picture per method and per curve into `directory`. */
export async function writePage(directory: string, { board, curves, claims, prompts }: Page): Promise<void> {
  await mkdir(directory, { recursive: true });
  const methods = [...new Set(board.rows.map(({ method }) => method))];
  const sections: string[] = [];
  const files: Record<string, string> = {};
  for (const method of methods) {
    const own = board.rows.filter((row) => row.method === method);
    sections.push(`## ${method}`, '', claims[method] ?? '', '', table(own), '');
    const notes = own.filter(({ note, value }) => note !== '' && value !== null);
    if (notes.length > 0) sections.push(...notes.map(({ figure, note }) => `- ${figure}: ${note}`), '');
    if (!own.some(({ value }) => value !== null)) continue;
    const pictures = [
      { title: method, svg: bars(method, own) },
      ...curves.filter((curve) => curve.method === method).map((curve) => ({ title: curve.title, svg: plot(curve) })),
    ];
    for (const { title, svg } of pictures) {
      const file = `${slug(title)}.svg`;
      files[file] = svg;
      sections.push(`![${title}](${file})`, '');
    }
  }
  const intro = [
    '# Scoreboard',
    '',
    'What each method does to the pocket suite, measured by `npm run scoreboard` through the HTTP API on real generations.',
    `World ${board.world.slice(0, 12)}, seed ${board.seed}, up to ${prompts} test prompts a figure; intervals are 95 % percentile bootstraps over the prompts.`,
    'Answers are greedy unless a note says otherwise. A claim that does not hold here stays in the table with its figure.',
    '',
    '`--method NAME` measures one row, `--quick` a few prompts, `--url` a server that runs already; `--json` prints scoreboard.json.',
    'With `--update`, `--method NAME` replaces that row on this page. The page, the pictures and the JSON files are written by the program: a row',
    'is a file in loadtest/scoreboard/rows.',
    '',
  ];
  files['README.md'] = [...intro, ...sections].join('\n');
  files[BOARD] = `${JSON.stringify(board, null, 1)}\n`;
  files[CURVES] = `${JSON.stringify(curves)}\n`;
  await writeAll(Object.fromEntries(Object.entries(files).map(([name, text]) => [path.join(directory, name), text])));
}

const slug = (text: string): string =>
  text
    .toLowerCase()
    .replace(/[^a-z0-9]+/g, '-')
    .replace(/^-|-$/g, '');
