// Load on a running server from the command line: `npm run loadtest -- --url http://127.0.0.1:8000 --streams 16 --json`.
// Prints one table or one JSON document; exits with 1 when a request failed. The figures are defined in docs/benchmarks.md.
import autocannon from 'autocannon';
import { Command, InvalidArgumentError } from 'commander';
import { firstTextId } from './bench/tokenizer.js';
import { closedLoop, openLoop, type Work } from './load.js';
import { summarise, type Summary, type Trace } from './measure.js';
import { targetAt } from './stream.js';

interface Options {
  readonly url: string;
  readonly model?: string;
  readonly streams: number;
  readonly requests: number;
  readonly rate?: number;
  readonly promptTokens: number;
  readonly maxTokens: number;
  readonly vocab: number;
  readonly seed: number;
  readonly extra: Record<string, unknown>;
  readonly apiKey?: string;
  readonly health: number;
  readonly json?: boolean;
}

const positive = (text: string): number => {
  const value = Number(text);
  if (!(value > 0)) throw new InvalidArgumentError('a number above 0 is needed.');
  return value;
};
const whole = (text: string): number => {
  const value = Number(text);
  if (!Number.isInteger(value) || value < 0) throw new InvalidArgumentError('a whole number is needed.');
  return value;
};
const jsonObject = (text: string): Record<string, unknown> => {
  try {
    return JSON.parse(text) as Record<string, unknown>;
  } catch (cause) {
    throw new InvalidArgumentError(String(cause));
  }
};

const options = new Command('loadtest')
  .description('Sends load to a running server and reports what its clients see.')
  .requiredOption('--url <url>', 'address of the server')
  .option('--model <name>', "model or deployment (default: the server's first)")
  .option('--streams <n>', 'closed loop: clients that each wait for their answer', whole, 16)
  .option('--requests <n>', 'requests per client (closed loop) or in all (open loop)', whole, 4)
  .option('--rate <perSecond>', 'open loop instead: Poisson arrivals at this rate', positive)
  .option('--prompt-tokens <n>', 'length of each prompt', whole, 64)
  .option('--max-tokens <n>', 'length of each answer; the end-of-sequence token is ignored', whole, 64)
  .option('--vocab <n>', 'prompt ids are drawn below this id', whole, 1000)
  .option('--seed <n>', 'seed of arrivals and prompts', whole, 0)
  .option('--extra <json>', 'further fields of every request body, e.g. {"decoding":{…}}', jsonObject, {})
  .option('--api-key <key>', 'sent as a bearer token')
  .option('--health <seconds>', 'also measure GET /health this long under no other load', whole, 3)
  .option('--json', 'print one JSON document')
  .parse()
  .opts<Options>();

const target = targetAt(options.url, options.apiKey ?? null);
const work: Work = {
  model: options.model ?? (await firstModel(options.url)),
  prompt: { tokens: options.promptTokens, firstId: Math.min(firstTextId, options.vocab - 1), endId: options.vocab },
  maxTokens: options.maxTokens,
  seed: options.seed,
  extra: options.extra,
};
// One uncounted request: connections, lazily compiled code and kernels are not what is measured.
const warm = await closedLoop(target, { ...work, seed: work.seed + 1_000_003 }, 1, 1);
const failure = warm[0]?.error ?? null;
if (failure !== null) {
  process.stderr.write(`the server refused the first request: ${failure}\n`);
  process.exit(1);
}
const traces: Trace[] =
  options.rate === undefined
    ? await closedLoop(target, work, options.streams, options.requests)
    : await openLoop(target, work, options.rate, options.requests);
const summary = summarise(traces, options.rate === undefined ? options.streams : 1);
target.agent.destroy();
const health = options.health > 0 ? await healthFigures(options.url, options.health) : null;
const load = options.rate === undefined ? { closed: options.streams } : { poissonPerSecond: options.rate };
process.stdout.write(
  options.json === true
    ? `${JSON.stringify({ url: options.url, model: work.model, load, summary, health })}\n`
    : table(summary, health),
);
process.exitCode = summary.failed > 0 ? 1 : 0;

async function firstModel(url: string): Promise<string> {
  const reply = await fetch(new URL('/v1/models', url));
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

function table(summary: Summary, health: object | null): string {
  const lines = Object.entries(summary).map(([name, value]) => {
    const shown =
      typeof value === 'object' && value !== null
        ? Object.entries(value as Record<string, number>)
            .map(([key, x]) => `${key} ${x}`)
            .join('  ')
        : String(value);
    return `${name.padEnd(24)} ${shown}`;
  });
  if (health !== null) lines.push(`${'GET /health'.padEnd(24)} ${JSON.stringify(health)}`);
  return `${lines.join('\n')}\n`;
}
