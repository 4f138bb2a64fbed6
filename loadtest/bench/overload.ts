// What those who are taken notice of an overload: Poisson arrivals at 80 % and at 200 % of what the server can carry, in turn, over HTTP. A model
// whose steps take long beside HTTP's work, for driver and server share the machine.
import path from 'node:path';
import { openLoop, type Work } from '../load.js';
import { interTokenGaps, quantile, timeToFirstToken, type Trace } from '../measure.js';
import { targetAt, type Target } from '../stream.js';
import { checkpointOf } from './in-process.js';
import { shapes } from './checkpoint.js';
import { atMost, informs, median, type Row } from './rows.js';
import { benchCache, startServer } from './server.js';
import { firstTextId } from './tokenizer.js';

const SHAPE = 'smol135';
/** Tight, as docs/operations.md recommends where pace counts; the defaults are ten and more times wider. */
const LIMITS = { stepMs: 10, waitMs: 50, firstTokenMs: 1000 };
const ROUNDS = 4;
const SECONDS = 16;
const FIRST_RATE = 8;
const MOST_RATIO = 1.5;

const work = (seed: number): Work => ({
  model: 'model',
  prompt: { tokens: 32, firstId: firstTextId, endId: shapes[SHAPE].vocab },
  maxTokens: 96,
  seed,
  extra: {},
});

export async function benchOverload(): Promise<Row[]> {
  const server = await startServer({
    models: { model: { path: await checkpointOf(SHAPE), weights: 'w8a8' } },
    limits: { ...LIMITS, prefixCacheBytes: 0 },
    threads: 2,
    directory: path.join(benchCache, 'overload'),
  });
  const target = targetAt(server.url);
  const calm: Trace[] = [];
  const busy: Trace[] = [];
  const rates: number[] = [];
  try {
    // Far too many at first: the server learns its pace, and what it answers is what it can carry.
    let carried = 0;
    for (const rate of [FIRST_RATE, 2 * FIRST_RATE])
      carried = answeredPerSecond(await load(target, rate, SECONDS / 2, rates.length));
    for (let round = 1; round <= ROUNDS; round++) {
      calm.push(...(await load(target, 0.8 * carried, SECONDS, 2 * round)));
      const overloaded = await load(target, 2 * carried, SECONDS, 2 * round + 1);
      busy.push(...overloaded);
      rates.push((carried = answeredPerSecond(overloaded)));
    }
  } finally {
    target.agent.destroy();
    await server.stop();
  }
  return rowsOf(calm, busy, median(rates));
}

async function load(target: Target, rate: number, seconds: number, seed: number): Promise<Trace[]> {
  const traces = await openLoop(target, work(seed), rate, Math.ceil(rate * seconds));
  const failed = traces.find((trace) => trace.error !== null && !isRefusal(trace));
  if (failed) throw new Error(`a request failed: ${failed.error}`);
  return traces;
}

const isRefusal = ({ error }: Trace): boolean => error?.startsWith('HTTP 503') ?? false;

const answered = (traces: readonly Trace[]): Trace[] => traces.filter(({ error }) => error === null);

function answeredPerSecond(traces: readonly Trace[]): number {
  const ms = Math.max(...traces.map(({ endMs }) => endMs)) - Math.min(...traces.map(({ dueMs }) => dueMs));
  return (1000 * answered(traces).length) / ms;
}

function rowsOf(calm: readonly Trace[], busy: readonly Trace[], rate: number): Row[] {
  const figures = {
    ITL: (traces: readonly Trace[]) => answered(traces).flatMap(interTokenGaps),
    TTFT: (traces: readonly Trace[]) => answered(traces).map(timeToFirstToken),
  };
  const rows: Row[] = [];
  for (const [name, of] of Object.entries(figures))
    for (const [what, q] of [
      ['p50', 0.5],
      ['p95', 0.95],
    ] as const) {
      const [at80, at200] = [quantile(of(calm), q), quantile(of(busy), q)];
      const note = `${at200.toFixed(1)} ms beside ${at80.toFixed(1)} ms`;
      rows.push(atMost(`${name} ${what} at 200 % by that at 80 %`, at200 / at80, '×', MOST_RATIO, note));
    }
  const refusals = busy.filter(isRefusal).map(({ endMs, dueMs }) => endMs - dueMs);
  const taken = `${answered(busy).length} of ${busy.length} taken, at 80 % ${answered(calm).length} of ${calm.length}`;
  rows.push(informs('a refusal, p50', quantile(refusals, 0.5), 'ms', taken));
  rows.push(informs('a refusal, p99', quantile(refusals, 0.99), 'ms'));
  rows.push(informs('carried', rate, 'requests/s', `${SHAPE} w8a8, prompts of 32 tokens, answers of 96`));
  return rows;
}
