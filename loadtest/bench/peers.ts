// Ours over HTTP against node-llama-cpp and transformers.js on the same weights, interleaved: in every round each side is measured once,
// in an order that turns from round to round, and the ratio is taken within the round. `npm run bench:peers -- --json` (after the steps
// of loadtest/peers/README.md). Peers run at their best: in lockstep, and llama.cpp in the best of three thread arrangements.
import { spawn, spawnSync } from 'node:child_process';
import { existsSync, mkdirSync } from 'node:fs';
import path from 'node:path';
import { json as readJson } from 'node:stream/consumers';
import { Command } from 'commander';
import { promptIds } from '../arrivals.js';
import { closedLoop } from '../load.js';
import { decodeRate, type Trace } from '../measure.js';
import { targetAt, type Target } from '../stream.js';
import { describeMachine, quietly } from './machine.js';
import { atLeast, median, round, type Row } from './rows.js';
import { benchCache, packageRoot, startServer, type Weights } from './server.js';
import { firstTextId } from './tokenizer.js';

type PeerName = 'node-llama-cpp q4_0' | 'node-llama-cpp q8_0' | 'transformers.js q4' | 'transformers.js q8';

/** The claims of docs/benchmarks.md: the best of `ours` is at least `target` times `peer`. */
interface Claim {
  readonly shape: 'smol135' | 'llama1b';
  readonly streams: number;
  readonly ours: readonly Weights[];
  readonly peer: PeerName;
  readonly target: number;
}

const every = ['q4', 'q8', 'w8a8'] as const;
const eightBit = ['q8', 'w8a8'] as const;
const claims: readonly Claim[] = [
  { shape: 'smol135', streams: 1, ours: ['q4'], peer: 'node-llama-cpp q4_0', target: 0.8 },
  { shape: 'smol135', streams: 16, ours: every, peer: 'node-llama-cpp q4_0', target: 1.2 },
  { shape: 'smol135', streams: 16, ours: eightBit, peer: 'node-llama-cpp q8_0', target: 1.6 },
  { shape: 'smol135', streams: 16, ours: every, peer: 'transformers.js q4', target: 2 },
  { shape: 'smol135', streams: 16, ours: every, peer: 'transformers.js q8', target: 2 },
  { shape: 'llama1b', streams: 1, ours: ['q4'], peer: 'node-llama-cpp q4_0', target: 0.9 },
  { shape: 'llama1b', streams: 4, ours: ['q4'], peer: 'node-llama-cpp q4_0', target: 1.2 },
  { shape: 'llama1b', streams: 16, ours: every, peer: 'node-llama-cpp q4_0', target: 1.5 },
  { shape: 'llama1b', streams: 16, ours: every, peer: 'transformers.js q4', target: 2 },
  { shape: 'llama1b', streams: 16, ours: every, peer: 'transformers.js q8', target: 2 },
];

const nameOf = ({ shape, streams, peer }: Claim): string =>
  `${shape}, ${streams} stream${streams > 1 ? 's' : ''}, ${peer}`;

interface Options {
  readonly json?: boolean;
  readonly only?: string;
  readonly shape?: string;
  readonly streams?: string;
  readonly rounds: string;
  readonly threads: string;
  readonly tries: string;
  readonly models: string;
}

const options = new Command('bench:peers')
  .description('Measures this server and its peers on the same weights in one run.')
  .option('--json', 'print one JSON document')
  .option('--only <text>', 'only rows whose name contains this')
  .option('--shape <name>', 'only this shape: smol135 or llama1b')
  .option('--streams <n>', 'only this number of streams')
  .option('--rounds <n>', 'rounds', '3')
  .option('--threads <n>', 'threads of every side', '2')
  .option('--tries <n>', 'measurements of one side in one round at most, when others disturb them', '3')
  .option('--models <directory>', 'where the models lie', path.join(benchCache, 'peers'))
  .parse()
  .opts<Options>();

const PROMPT_TOKENS = 64;
const TOKENS = 64;
const REQUESTS_PER_STREAM = 2;
/** With a single try there is nothing to wait for: the caller wants a figure now. */
const quietWaitMs = Number(options.tries) > 1 ? 30_000 : 0;
const threads = Number(options.threads);
const peersRoot = path.join(packageRoot, 'loadtest', 'peers');
const pinLibrary = path.join(peersRoot, 'dist', 'pin.so');
const log = (line: string): void => void process.stderr.write(`${line}\n`);

/** Three ways to run llama.cpp's threads: which is best depends on the machine and on the shape. */
const arrangements = {
  free: { threads, pinned: false },
  pinned: { threads, pinned: true },
  single: { threads: 1, pinned: false },
} as const;
type Arrangement = keyof typeof arrangements;

/** As declared by loadtest/peers/engine.ts, which is compiled apart. */
interface PeerWave {
  readonly sentMs: number;
  readonly arrivalsMs: readonly (readonly number[])[];
}

const prompt = { tokens: PROMPT_TOKENS, firstId: firstTextId, endId: 40_000 };

async function measurePeer(claim: Claim, arrangement: Arrangement, seed: number): Promise<number> {
  const [engine = '', format = ''] = claim.peer.split(' ');
  const { threads: count, pinned } = engine === 'transformers.js' ? arrangements.free : arrangements[arrangement];
  const job = {
    engine,
    modelPath: path.join(options.models, claim.shape + (engine === 'transformers.js' ? '-onnx' : `-${format}.gguf`)),
    dtype: format,
    threads: count,
    tokens: TOKENS,
    waves: Array.from({ length: REQUESTS_PER_STREAM + 1 }, (_, wave) =>
      Array.from({ length: claim.streams }, (_, stream) => promptIds(prompt, seed, wave * claim.streams + stream)),
    ),
  };
  const command = [process.execPath, path.join(peersRoot, 'dist', 'engine.js')];
  if (pinned) command.unshift('env', `LD_PRELOAD=${pinLibrary}`);
  const child = spawn(command[0] ?? '', command.slice(1), { cwd: peersRoot, stdio: ['pipe', 'pipe', 'inherit'] });
  child.stdin.end(JSON.stringify(job));
  const waves = (await readJson(child.stdout)) as readonly PeerWave[];
  const traces = waves.flatMap(({ sentMs, arrivalsMs }) =>
    arrivalsMs.map((times): Trace => ({
      dueMs: sentMs,
      sentMs,
      arrivalsMs: times,
      tokens: times.map(() => 1),
      endMs: times.at(-1) ?? sentMs,
      promptTokens: PROMPT_TOKENS,
      finishReason: 'length',
      error: null,
    })),
  );
  return decodeRate(traces, claim.streams) ?? NaN;
}

async function measureOurs(target: Target, model: string, streams: number, seed: number): Promise<number> {
  const work = { model, prompt, maxTokens: TOKENS, seed, extra: {} };
  await closedLoop(target, { ...work, maxTokens: 8, seed: seed + 1_000_003 }, streams, 1);
  const traces = await closedLoop(target, work, streams, REQUESTS_PER_STREAM);
  const failed = traces.find((trace) => trace.error !== null);
  if (failed !== undefined) throw new Error(`a request to our server failed: ${failed.error}`);
  return decodeRate(traces, streams) ?? NaN;
}

function prepare(): void {
  if (!existsSync(path.join(peersRoot, 'node_modules'))) {
    log('The peers are not installed. See loadtest/peers/README.md: npm --prefix loadtest/peers ci');
    process.exit(2);
  }
  const compiler = path.join(packageRoot, 'node_modules', 'typescript', 'bin', 'tsc');
  const compiled = spawnSync(process.execPath, [compiler, '-p', peersRoot], { stdio: 'inherit' });
  if (compiled.status !== 0) process.exit(2);
  mkdirSync(path.dirname(pinLibrary), { recursive: true });
  const source = path.join(peersRoot, 'pin.c');
  const built = spawnSync('gcc', ['-O2', '-shared', '-fPIC', '-o', pinLibrary, source, '-ldl'], { stdio: 'inherit' });
  if (built.status !== 0) log('pin.c could not be built: llama.cpp is measured without pinned threads.');
}

/** The best arrangement of llama.cpp for this claim, by one uncounted measurement of each. */
async function bestArrangement(claim: Claim): Promise<Arrangement> {
  if (claim.peer.startsWith('transformers.js')) return 'free';
  const candidates = (Object.keys(arrangements) as Arrangement[]).filter(
    (name) => name !== 'pinned' || existsSync(pinLibrary),
  );
  let best: Arrangement = 'free';
  let bestRate = 0;
  for (const name of candidates) {
    const { result } = await quietly(() => measurePeer(claim, name, 0), Number(options.tries), quietWaitMs);
    log(`${nameOf(claim)}: threads ${name}: ${round(result)} tokens/s`);
    if (result > bestRate) [best, bestRate] = [name, result];
  }
  return best;
}

interface Side {
  readonly name: string;
  measure(seed: number): Promise<number>;
}

/** All sides of one shape and number of streams, interleaved; rates by side, one per round. */
async function compare(
  target: Target,
  group: readonly Claim[],
): Promise<{ rates: Map<string, number[]>; how: Map<string, string> }> {
  const [first] = group;
  if (first === undefined) throw new RangeError('no claims');
  const how = new Map<string, string>();
  const sides: Side[] = [...new Set(group.flatMap((claim) => claim.ours))].map((weights) => ({
    name: weights,
    measure: (seed) => measureOurs(target, weights, first.streams, seed),
  }));
  for (const claim of group) {
    const arrangement = await bestArrangement(claim);
    how.set(claim.peer, arrangement);
    sides.push({ name: claim.peer, measure: (seed) => measurePeer(claim, arrangement, seed) });
  }
  const rates = new Map<string, number[]>(sides.map(({ name }) => [name, []]));
  for (let turn = 0; turn < Number(options.rounds); turn++) {
    for (let k = 0; k < sides.length; k++) {
      const side = sides[(k + turn) % sides.length];
      if (side === undefined) continue;
      const { result, othersCores, disturbed } = await quietly(
        () => side.measure(turn + 1),
        Number(options.tries),
        quietWaitMs,
      );
      rates.get(side.name)?.push(result);
      const remark = disturbed ? ` (disturbed: others used ${othersCores.toFixed(2)} cores)` : '';
      log(
        `round ${turn + 1}, ${first.shape}, ${first.streams} streams, ${side.name}: ${round(result)} tokens/s${remark}`,
      );
    }
  }
  return { rates, how };
}

function rowOf(claim: Claim, rates: ReadonlyMap<string, readonly number[]>, how: ReadonlyMap<string, string>): Row {
  const of = (name: string): readonly number[] => rates.get(name) ?? [];
  const best = [...claim.ours].sort((a, b) => median(of(b)) - median(of(a)))[0] ?? 'q4';
  const ratios = of(best).map((rate, turn) => rate / (of(claim.peer)[turn] ?? NaN));
  const ratio = median(ratios);
  const range = `${round(Math.min(...ratios))} to ${round(Math.max(...ratios))}`;
  return {
    ...atLeast(nameOf(claim), median(of(best)), 'tokens/s', claim.target),
    holds: ratio >= claim.target,
    target: `≥ ${claim.target} × peer`,
    peer: `${claim.peer}: ${round(median(of(claim.peer)))} tokens/s (threads: ${how.get(claim.peer)})`,
    ratio: round(ratio),
    note: `ours ${best}; ratio ${range}`,
  };
}

async function main(): Promise<void> {
  const wanted = claims.filter(
    (claim) =>
      nameOf(claim).includes(options.only ?? '') &&
      (options.shape === undefined || claim.shape === options.shape) &&
      (options.streams === undefined || claim.streams === Number(options.streams)),
  );
  if (wanted.length === 0) {
    log(`No row has "${options.only ?? ''}" in its name. The rows are:\n${claims.map(nameOf).join('\n')}`);
    process.exit(2);
  }
  prepare();
  const machine = describeMachine();
  const rows: Row[] = [];
  for (const shape of new Set(wanted.map((claim) => claim.shape))) {
    const mine = wanted.filter((claim) => claim.shape === shape);
    const formats = [...new Set(mine.flatMap((claim) => claim.ours))];
    const server = await startServer({
      models: Object.fromEntries(
        formats.map((weights) => [weights, { path: path.join(options.models, shape), weights }]),
      ),
      threads,
      directory: path.join(benchCache, `peers-${shape}`),
    });
    const target = targetAt(server.url);
    try {
      for (const streams of new Set(mine.map((claim) => claim.streams))) {
        const group = mine.filter((claim) => claim.streams === streams);
        const { rates, how } = await compare(target, group);
        rows.push(...group.map((claim) => rowOf(claim, rates, how)));
      }
    } finally {
      target.agent.destroy();
      await server.stop();
    }
  }
  process.stdout.write(options.json === true ? `${JSON.stringify({ machine, rows })}\n` : table(rows));
}

const table = (rows: readonly Row[]): string =>
  rows
    .map(
      (row) =>
        `${row.holds === true ? 'holds ' : 'FAILS '} ${row.name}: ${row.ratio} (${row.target}); ours ${row.value} ${row.unit}, ${row.peer}; ${row.note}\n`,
    )
    .join('');

await main();
