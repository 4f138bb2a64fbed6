// `npm run scoreboard`: every method of the pocket suite beside its paper's claim, measured through a server's own API on real
// generations. Starts a server on the pocket configuration unless --url names one; writes docs/scoreboard.
import path from 'node:path';
import { Command, InvalidArgumentError, Option } from 'commander';
import { reasonOf } from '../../server/reason.js';
import { packageRoot, serveFile } from '../bench/server.js';
import { exitForUsage } from '../usage.js';
import { askAt, remembering, servedAt } from './ask.js';
import { measureRows } from './board.js';
import type { Bench, RowModule } from './figure.js';
import { measureOracles, measurePictureOracle } from './measure-oracles.js';
import { progressOn } from './progress.js';
import { table, updated, writePage, type Scoreboard } from './report.js';
import { rowModules } from './rows/index.js';
import { refuseStale } from './stale.js';
import { loadTown } from './town.js';

interface Options {
  readonly json?: boolean;
  readonly method?: string;
  readonly update?: boolean;
  readonly quick?: boolean;
  readonly url?: string;
  readonly config: string;
  readonly prompts?: number;
  readonly seed: number;
  readonly out: string;
  readonly concurrency: number;
  readonly oracles?: string | true;
}

const whole = (text: string): number => {
  const value = Number(text);
  if (!Number.isInteger(value) || value < 1) throw new InvalidArgumentError('a whole number above 0 is needed.');
  return value;
};

const FULL_PROMPTS = 300;
const QUICK_PROMPTS = 40;
const names = rowModules.map(({ method }) => method);
const suite = path.join(packageRoot, 'models', 'pocket');

const options = new Command('scoreboard')
  .exitOverride(exitForUsage)
  .description("Measures every method on the pocket world beside its paper's claim.")
  .option('--json', 'print one JSON document and write no files')
  .addOption(new Option('--method <name>', 'only this one').choices(names))
  .option('--update', 'with --method: replace its rows on the page that is there')
  .option('--quick', `${QUICK_PROMPTS} prompts a figure instead of ${FULL_PROMPTS}; writes no files`)
  .option('--prompts <n>', 'test prompts per figure', whole)
  .option('--url <url>', 'a running server with the pocket models, instead of starting one')
  .option('--config <file>', 'configuration of the server to start', path.join(packageRoot, 'trimtab.config.json'))
  .option('--seed <n>', 'seed of sampling, of the choice of prompts and of the intervals', whole, 1)
  .option('--concurrency <n>', 'requests in flight', whole, 32)
  .option('--out <dir>', 'where the page and its pictures go', path.join(packageRoot, 'docs', 'scoreboard'))
  .option('--oracles [dir]', 'measure the models that do not ship (default: models/pocket/build/models) and end')
  .parse()
  .opts<Options>();

const town = loadTown();
const progress = progressOn(process.stderr);

const benchAt = (url: string): Bench => ({
  town,
  ask: remembering(askAt(url, options.concurrency, () => progress.tick())),
  timed: askAt(url, 1, () => progress.tick()),
  timedTogether: askAt(url, 8, () => progress.tick()),
  prompts: options.prompts ?? (options.quick === true ? QUICK_PROMPTS : FULL_PROMPTS),
  seed: options.seed,
  suite,
});

try {
  if (options.oracles === undefined) await scoreboard();
  else {
    progress.step('oracles');
    const directory = options.oracles === true ? path.join(suite, 'build', 'models') : options.oracles;
    const measured = [
      ...(await measureOracles(directory, suite, town, benchAt)),
      ...(await measurePictureOracle(directory, suite, benchAt)),
    ];
    progress.end();
    if (measured.length === 0)
      throw new Error(`${directory} has none of the models that do not ship: train them (models/pocket/recipe) first`);
    process.stdout.write(`measured ${measured.join(', ')}\n`);
  }
} catch (error) {
  progress.end();
  process.stderr.write(`error: ${reasonOf(error)}\n`);
  process.exitCode = 1;
}

async function scoreboard(): Promise<void> {
  const rows = rowModules.filter(({ method }) => options.method === undefined || method === options.method);
  if (options.update === true && options.prompts !== undefined)
    throw new Error('--update keeps rows that were measured on as many prompts as ever: leave out --prompts');
  if (options.url !== undefined) return report(rows, options.url);
  await refuseStale(town.worldHash, suite);
  progress.step('starting the server');
  const server = await serveFile(options.config);
  try {
    await report(rows, server.url);
  } finally {
    await server.stop();
  }
}

async function report(rows: readonly RowModule[], url: string): Promise<void> {
  const bench = benchAt(url);
  const { figures, curves } = await measureRows(rows, await servedAt(url), bench, (method) => progress.step(method));
  progress.end();
  const board: Scoreboard = { world: town.worldHash, seed: options.seed, rows: figures };
  process.stdout.write(options.json === true ? `${JSON.stringify(board)}\n` : `${table(figures)}\n`);
  // Only a full measurement goes to the page, and only a whole one replaces it.
  if (options.json === true || options.quick === true) return;
  if (options.method !== undefined && options.update !== true) return;
  const claims = Object.fromEntries(rowModules.map(({ method, claim }) => [method, claim]));
  const page = options.update === true ? await updated(options.out, { board, curves }, names) : { board, curves };
  await writePage(options.out, { ...page, claims, prompts: bench.prompts });
}
