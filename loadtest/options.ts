// The options of the load test, read and checked. Called by main.ts.
import { Command, InvalidArgumentError } from 'commander';
import { limitNames, type LimitName, type Limits } from './goodput.js';
import { exitForUsage } from './usage.js';

export interface Options {
  readonly url: string;
  readonly model?: string;
  readonly streams: number;
  readonly requests: number;
  readonly rate?: number;
  readonly burstiness: number;
  readonly sweep?: readonly number[] | 'auto';
  readonly goodput: Limits;
  readonly methods?: readonly string[];
  readonly rounds: number;
  readonly promptTokens: number;
  readonly maxTokens: number;
  readonly vocab: number;
  readonly seed: number;
  readonly extra: Record<string, unknown>;
  readonly apiKey?: string;
  readonly health: number;
  readonly report?: string;
  readonly json?: boolean;
}

const positive = (text: string): number => {
  const value = Number(text);
  if (!(value > 0)) throw new InvalidArgumentError('a number above 0 is needed.');
  return value;
};
const shape = (text: string): number => (text === 'inf' ? Infinity : positive(text));
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
const rates = (text: string): readonly number[] | 'auto' => (text === 'auto' ? text : text.split(',').map(positive));
const names = (text: string): readonly string[] => text.split(',').filter((name) => name !== '');

/** Repeatable and variadic: --goodput ttft:500 tpot:50. */
export function limit(text: string, before: Limits = {}): Limits {
  const [name = '', value = '', ...rest] = text.split(':');
  if (!limitNames.includes(name as LimitName) || !(Number(value) > 0) || rest.length > 0)
    throw new InvalidArgumentError(`give ${limitNames.join(', ')} and milliseconds, e.g. ttft:500.`);
  return { ...before, [name]: Number(value) };
}

export function readOptions(args: readonly string[]): Options {
  const command = new Command('loadtest')
    .exitOverride(exitForUsage)
    .description('Sends load to a running server and reports what its clients see.')
    .requiredOption('--url <url>', 'address of the server')
    .option('--model <name>', "model or deployment (default: the server's first)")
    .option('--streams <n>', 'closed loop: clients that each wait for their answer', whole, 16)
    .option('--requests <n>', 'requests per client (closed loop) or per rate (open loop)', whole, 4)
    .option('--rate <perSecond>', 'open loop instead: arrivals at this rate, which wait for nobody', positive)
    .option('--burstiness <shape>', 'of arrivals: 1 is Poisson, below 1 bursts, above 1 even, inf constant', shape, 1)
    .option(
      '--sweep <rates>',
      'one open loop per rate, e.g. 1,2,4; auto: 20 to 120 % of what a closed loop does',
      rates,
    )
    .option('--goodput <limits...>', 'count what meets all limits in ms: ttft:500 tpot:50 e2el:5000', limit, {})
    .option(
      '--methods <names>',
      'also the cost of these deployments beside the first of them, e.g. pocket,pocket-eft',
      names,
    )
    .option('--rounds <n>', 'requests of each of --methods', whole, 5)
    .option('--prompt-tokens <n>', 'length of each prompt', whole, 64)
    .option('--max-tokens <n>', 'length of each answer; the end-of-sequence token is ignored', whole, 64)
    .option('--vocab <n>', 'prompt ids are drawn below this id', whole, 1000)
    .option('--seed <n>', 'seed of arrivals and prompts', whole, 0)
    .option('--extra <json>', 'further fields of every request body, e.g. {"decoding":{…}}', jsonObject, {})
    .option('--api-key <key>', 'sent as a bearer token')
    .option('--health <seconds>', 'also measure GET /health this long under no other load; 0: not', whole, 3)
    .option('--report <file>', 'write an HTML page with charts')
    .option('--json', 'print one JSON document, with the field names of vllm bench serve under results');
  return command.parse(args, { from: 'user' }).opts<Options>();
}
