// `npm run -s bench -- --json`: every benchmark of this project alone (peers: bench:peers), as one JSON document or as a table. Slow by
// design; never part of the tests. Runs one benchmark after the other, each with its sides interleaved.
import { Command } from 'commander';
import { reasonOf } from '../../server/reason.js';
import { exitForUsage } from '../usage.js';
import { benchAdmission } from './admission.js';
import { benchBestOfN } from './best-of-n.js';
import { benchConstrain } from './constrain.js';
import { benchConversion } from './conversion.js';
import { benchCapacity, benchTick } from './engine.js';
import { benchHttp, benchLoopDelay } from './http.js';
import { benchLogits } from './logits.js';
import { describeMachine } from './machine.js';
import { benchMethods } from './methods.js';
import { benchOverload } from './overload.js';
import { benchPictures } from './pictures.js';
import { benchRain } from './rain.js';
import type { Row } from './rows.js';
import { benchSpeculation } from './speculation.js';
import { benchEft } from './steering.js';
import { benchCacheSlots, benchFormats } from './steps.js';
import { benchWebsocket } from './websocket.js';
import { benchTransferQ, benchTransferQPocket } from './transfer-q.js';

interface Options {
  readonly json?: boolean;
  readonly only?: string;
  readonly family?: string;
}

/** One entry per benchmark. Rows are named `benchmark: row`; --only takes either. */
const benchmarks: Readonly<Record<string, (options: Options) => Promise<Row[]>>> = {
  logits: benchLogits,
  tick: benchTick,
  admission: benchAdmission,
  capacity: benchCapacity,
  slots: benchCacheSlots,
  formats: benchFormats,
  eft: benchEft,
  methods: benchMethods,
  speculation: ({ family }) => benchSpeculation(family ?? null),
  'best-of-n': benchBestOfN,
  'transfer-q': benchTransferQ,
  'transfer-q-pocket': benchTransferQPocket,
  rain: benchRain,
  pictures: benchPictures,
  constrain: benchConstrain,
  http: benchHttp,
  'loop-delay': benchLoopDelay,
  overload: benchOverload,
  websocket: benchWebsocket,
  conversion: benchConversion,
};

const options = new Command('bench')
  .exitOverride(exitForUsage)
  .description('Measures kernels, engine and HTTP on this machine.')
  .option('--json', 'print one JSON document')
  .option('--only <name>', `one of ${Object.keys(benchmarks).join(', ')}`)
  .option(
    '--family <folder>',
    'speculation: checkpoints base, tuned and reference of one family instead of random ones',
  )
  .parse()
  .opts<Options>();

const { only } = options;
const chosen = Object.entries(benchmarks).filter(([name]) => only === undefined || only.split(':')[0] === name);
if (chosen.length === 0) {
  process.stderr.write(`There is no benchmark "${only}". There are: ${Object.keys(benchmarks).join(', ')}.\n`);
  process.exit(2);
}
const machine = describeMachine();
const rows: Row[] = [];
for (const [name, run] of chosen) {
  process.stderr.write(`${name} …\n`);
  const fresh = (await run(options).catch(failed))
    .map((row) => ({ ...row, name: row.name.startsWith(`${name}: `) ? row.name : `${name}: ${row.name}` }))
    .filter((row) => only === undefined || row.name.startsWith(only));
  rows.push(...fresh);
  if (options.json !== true) process.stdout.write(table(fresh));
}
if (options.json === true) process.stdout.write(`${JSON.stringify({ machine, rows })}\n`);
// Native thread pools may keep the process alive.
process.exit(0);

function failed(error: unknown): never {
  process.stderr.write(`error: ${reasonOf(error)}\n`);
  process.exit(1);
}

function table(fresh: readonly Row[]): string {
  return fresh
    .map((row) => {
      const verdict = row.holds === null ? '' : row.holds ? `holds (${row.target})` : `FAILS (${row.target})`;
      const line = `${row.name.padEnd(58)} ${String(row.value).padStart(9)} ${row.unit.padEnd(9)} ${verdict.padEnd(16)}`;
      return `${line} ${row.note ?? ''}`.trimEnd() + '\n';
    })
    .join('');
}
