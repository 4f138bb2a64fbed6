// Load on a running server from the command line: `npm run loadtest -- --url http://127.0.0.1:8000 --streams 16 --json`.
// Prints one table or one JSON document; exits with 1 when a request failed. The figures are defined in docs/loadtest.md.
import { cpus } from 'node:os';
import autocannon from 'autocannon';
import { reasonOf } from '../server/reason.js';
import { firstTextId } from './bench/tokenizer.js';
import { measureCosts, type MethodCost } from './cost.js';
import { closedLoop, openLoop, type Work } from './load.js';
import { summarise, type Summary, type Trace } from './measure.js';
import { readOptions } from './options.js';
import { htmlReport } from './report.js';
import { targetAt } from './stream.js';
import { vllmResult } from './vllm-result.js';
import { writeAll } from './write.js';

/** Of what a closed loop answers per second. */
const automaticParts = [0.2, 0.4, 0.6, 0.8, 1, 1.2];
/** Between the prompts of two runs: no prefix cache can help. */
const SEED_STEP = 7919;

const options = readOptions(process.argv.slice(2));
const target = targetAt(options.url, options.apiKey ?? null);
const say = (text: string): void => void process.stderr.write(`${text}\n`);

try {
  process.exitCode = await main();
} catch (error) {
  say(`error: ${reasonOf(error)}`);
  process.exitCode = 1;
} finally {
  target.agent.destroy();
}

async function main(): Promise<number> {
  const work: Work = {
    model: options.model ?? options.methods?.[0] ?? (await firstModel(options.url)),
    prompt: { tokens: options.promptTokens, firstId: Math.min(firstTextId, options.vocab - 1), endId: options.vocab },
    maxTokens: options.maxTokens,
    seed: options.seed,
    extra: options.extra,
  };
  // One uncounted request: connections, lazily compiled code and kernels are not what is measured.
  const warm = await closedLoop(target, { ...work, seed: work.seed + 1_000_003 }, 1, 1);
  const failure = warm[0]?.error ?? null;
  if (failure !== null) throw new Error(`the server refused the first request: ${failure}`);
  const runs = options.sweep === undefined ? [await oneRun(work)] : await sweep(work, options.sweep);
  const costs = options.methods === undefined ? [] : await costsOf(work, options.methods);
  const health = options.health > 0 ? await healthFigures(options.url, options.health) : null;
  await print(work, runs, costs, health);
  return runs.some(({ summary }) => summary.failed > 0) || costs.some(({ failed }) => failed > 0) ? 1 : 0;
}

interface Run {
  readonly summary: Summary;
  readonly result: Readonly<Record<string, unknown>>;
}

function runOf(traces: readonly Trace[], work: Work, rate: number): Run {
  const isClosed = rate === Infinity;
  const result = vllmResult(traces, {
    model: work.model,
    rate,
    burstiness: options.burstiness,
    maxConcurrency: isClosed ? options.streams : null,
    limits: options.goodput,
    date: new Date().toISOString(),
  });
  return { summary: summarise(traces, isClosed ? options.streams : 1), result };
}

async function oneRun(work: Work): Promise<Run> {
  const { rate, streams, requests, burstiness } = options;
  return rate === undefined
    ? runOf(await closedLoop(target, work, streams, requests), work, Infinity)
    : runOf(await openLoop(target, work, rate, requests, burstiness), work, rate);
}

/** One rate after the other, each on prompts of its own, from an idle server. */
async function sweep(work: Work, asked: readonly number[] | 'auto'): Promise<Run[]> {
  let rates = asked;
  if (rates === 'auto') {
    const closed = runOf(
      await closedLoop(target, { ...work, seed: work.seed + SEED_STEP }, options.streams, options.requests),
      work,
      Infinity,
    );
    const most = closed.summary.requestsPerSecond;
    say(`${options.streams} clients in a closed loop: ${most.toFixed(2)} requests per second`);
    rates = automaticParts.map((part) => Number((part * most).toPrecision(3)));
  }
  const runs: Run[] = [];
  for (const [index, rate] of rates.entries()) {
    const own = { ...work, seed: work.seed + (index + 2) * SEED_STEP };
    const run = runOf(await openLoop(target, own, rate, options.requests, options.burstiness), own, rate);
    const { ttftMs, itlMs, failed } = run.summary;
    say(
      `${rate}/s: first token ${ttftMs.p50} ms (p99 ${ttftMs.p99}), gaps ${itlMs.p50} ms (p99 ${itlMs.p99}), ${failed} failed`,
    );
    runs.push(run);
  }
  return runs;
}

async function costsOf(work: Work, models: readonly string[]): Promise<MethodCost[]> {
  say(`cost of ${models.join(', ')}: ${options.rounds} rounds`);
  for (const model of models) await closedLoop(target, { ...work, model, seed: work.seed + 2_000_003 }, 1, 1);
  return measureCosts(target, { ...work, seed: work.seed + 3_000_017 }, models, options.rounds);
}

async function firstModel(url: string): Promise<string> {
  const headers = options.apiKey === undefined ? {} : { authorization: `Bearer ${options.apiKey}` };
  const reply = await fetch(new URL('/v1/models', url), { headers });
  if (!reply.ok) throw new Error(`${url}/v1/models answered ${reply.status}: ${(await reply.text()).slice(0, 300)}`);
  const list = (await reply.json()) as { data?: { id: string }[] };
  const first = list.data?.[0]?.id;
  if (first === undefined) throw new Error(`${url} lists no models`);
  return first;
}

/** Request-level figures of the HTTP layer alone. */
async function healthFigures(url: string, seconds: number): Promise<object> {
  const result = await autocannon({ url: new URL('/health', url).href, connections: 16, duration: seconds });
  return {
    requestsPerSecond: result.requests.average,
    p50Ms: result.latency.p50,
    p99Ms: result.latency.p99,
    failed: result.errors + result.non2xx,
  };
}

async function print(
  work: Work,
  runs: readonly Run[],
  costs: readonly MethodCost[],
  health: object | null,
): Promise<void> {
  const { url, rate, streams, promptTokens, maxTokens, burstiness, report, json } = options;
  const results = runs.map(({ result }) => result);
  const load =
    options.sweep !== undefined
      ? { sweep: results.map((result) => result['request_rate']) }
      : rate === undefined
        ? { closed: streams }
        : { perSecond: rate, burstiness };
  if (report !== undefined) {
    const [processor] = cpus();
    const facts = [
      ['server', url],
      ['model', work.model],
      ['load', `${JSON.stringify(load)}, prompts of ${promptTokens} and answers of ${maxTokens} tokens`],
      ['limits', JSON.stringify(options.goodput)],
      ['this machine', `${cpus().length} × ${processor?.model.trim() ?? 'unknown'}`],
      ['date', new Date().toISOString()],
    ] as const;
    await writeAll({ [report]: htmlReport({ title: `Load on ${work.model}`, facts, results, costs }) });
    say(`report: ${report}`);
  }
  if (json === true) {
    const [only] = runs;
    const summary = runs.length === 1 ? { summary: only?.summary } : {};
    process.stdout.write(`${JSON.stringify({ url, model: work.model, load, ...summary, health, results, costs })}\n`);
    return;
  }
  const [only] = runs;
  const rows = runs.length === 1 && only !== undefined ? Object.entries(only.summary) : [];
  const goodput = results.flatMap(({ request_rate: at, request_goodput: good }) =>
    typeof good === 'number'
      ? [[at === 'inf' ? 'goodput' : `goodput at ${String(at)}/s`, `${good.toFixed(2)}/s`] as [string, unknown]]
      : [],
  );
  const costRows = costs.map(({ model, times_first: times, ms_per_token: ms, rows_per_token: tokens, error }) => [
    model,
    error ?? `${times} × ${costs[0]?.model ?? ''}, ${ms} ms a token, rows per token ${JSON.stringify(tokens)}`,
  ]);
  process.stdout.write(
    table([...rows, ...goodput, ...costRows, ...(health === null ? [] : [['GET /health', health]])] as [
      string,
      unknown,
    ][]),
  );
}

function table(rows: readonly (readonly [string, unknown])[]): string {
  return rows
    .map(([name, value]) => {
      const text =
        typeof value === 'object' && value !== null
          ? Object.entries(value)
              .map(([key, x]) => `${key} ${String(x)}`)
              .join('  ')
          : String(value);
      return `${name.padEnd(24)} ${text}\n`;
    })
    .join('');
}
