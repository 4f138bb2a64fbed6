// What HTTP costs: the decode rate over HTTP (server in a process of its own, client here) against the engine's own rate in this process,
// and the main loop's delay with 64 streams.
import { closedLoop, type Work } from '../load.js';
import { decodeRate } from '../measure.js';
import { targetAt, type Target } from '../stream.js';
import { checkpointOf, plain, runStreams, startEngine, workOf, type BenchModel } from './in-process.js';
import { shapes } from './checkpoint.js';
import { atMost, median, type Row } from './rows.js';
import { benchCache, startServer, type RunningServer } from './server.js';
import path from 'node:path';
import { firstTextId } from './tokenizer.js';

const ROUNDS = 5;
const HTTP_COST_PERCENT = 10;
const LOOP_DELAY_MS = 20;

const serve = async (model: BenchModel): Promise<RunningServer> =>
  startServer({
    models: { model: { path: await checkpointOf(model.shape, model.seed), weights: model.weights } },
    // as the engine in this process: nothing is answered from a store
    limits: { prefixCacheBytes: 0 },
    threads: 2,
    directory: path.join(benchCache, `http-${model.shape}-${model.weights}`),
  });

const httpWork = ({ shape }: BenchModel, promptTokens: number, maxTokens: number, seed: number): Work => ({
  model: 'model',
  prompt: { tokens: promptTokens, firstId: firstTextId, endId: shapes[shape].vocab },
  maxTokens,
  seed,
  extra: {},
});

async function httpTraces(target: Target, work: Work, streams: number, requestsPerStream: number) {
  const traces = await closedLoop(target, work, streams, requestsPerStream);
  const failed = traces.find((trace) => trace.error !== null);
  if (failed !== undefined) throw new Error(`a request failed: ${failed.error}`);
  return traces;
}

export async function benchHttp(): Promise<Row[]> {
  const rows: Row[] = [];
  for (const { model, streams } of [
    { model: { shape: 'smol135', weights: 'q4' }, streams: 1 },
    { model: { shape: 'smol135', weights: 'w8a8' }, streams: 16 },
  ] as const) {
    const engine = await startEngine({ model });
    const server = await serve(model);
    const target = targetAt(server.url);
    const work = workOf(model.shape, plain('model'), 64, 64);
    try {
      const costs: number[] = [];
      for (let round = 0; round <= ROUNDS; round++) {
        const own = decodeRate(await runStreams(engine, work, streams), streams) ?? NaN;
        const http = decodeRate(await httpTraces(target, httpWork(model, 64, 64, round), streams, 1), streams) ?? NaN;
        if (round > 0) costs.push(100 * (1 - http / own));
      }
      rows.push(
        atMost(
          `HTTP's share of the decode rate, ${streams} stream${streams > 1 ? 's' : ''}`,
          median(costs),
          '%',
          HTTP_COST_PERCENT,
          `${model.shape} ${model.weights}; ${Math.min(...costs).toFixed(1)} to ${Math.max(...costs).toFixed(1)}`,
        ),
      );
    } finally {
      target.agent.destroy();
      await server.stop();
      await engine.stop();
    }
  }
  return rows;
}

export async function benchLoopDelay(): Promise<Row[]> {
  const model: BenchModel = { shape: 'pocket', weights: 'f32' };
  const server = await serve(model);
  const target = targetAt(server.url);
  try {
    await httpTraces(target, httpWork(model, 32, 8, 99), 64, 1);
    const delays: number[] = [];
    for (let round = 0; round <= ROUNDS; round++) {
      await loopDelayP99Ms(server);
      await httpTraces(target, httpWork(model, 32, 128, round), 64, 2);
      const delay = await loopDelayP99Ms(server);
      if (round > 0) delays.push(delay);
    }
    return [atMost('p99 delay of the main loop, 64 streams', median(delays), 'ms', LOOP_DELAY_MS, 'pocket shape, f32')];
  } finally {
    target.agent.destroy();
    await server.stop();
  }
}

/** Since the previous reading. */
export async function loopDelayP99Ms(server: RunningServer): Promise<number> {
  const text = await (await fetch(`${server.url}/metrics`)).text();
  const seconds = /^trimtab_event_loop_delay_seconds\{[^}]*quantile="0\.99"[^}]*\} (\S+)$/m.exec(text)?.[1];
  if (seconds === undefined) throw new Error('the server reports no event loop delay');
  return Number(seconds) * 1000;
}
