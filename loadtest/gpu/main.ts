// `node dist/loadtest/gpu/main.js --shape llama1b --weights q4 --out gpu.json`: what decoding costs on this GPU, in a model's true shape with
// random weights. One JSON document: figures, targets, and what they were measured on. Called by scripts/gpu-run.sh, which finds the driver.
import { execFileSync } from 'node:child_process';
import {
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  statSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { Command, Option } from 'commander';
import { fused, linear, logits, logSoftmax, type Logprobs, type Scores } from '../../decoders/expr.js';
import { Banks } from '../../kernels/decoder/banks.js';
import type { JsonObject } from '../../kernels/decoder/config.js';
import { DeviceDecoder } from '../../kernels/decoder/device-model.js';
import { readDecoderSpec } from '../../kernels/decoder/families/index.js';
import { writeDecoder } from '../../kernels/decoder/model.js';
import { LogitKernels } from '../../kernels/logits/kernels.js';
import { Traffic } from '../../kernels/session.js';
import { Transfer } from '../../kernels/webgpu/transfer.js';
import { weightsFile } from '../../kernels/write.js';
import { adapters } from '../../server/engine/device.js';
import { computesInFloat16, weightFormat, type WeightsName } from '../../server/models/weight-format.js';
import { configOf, shapes, type ShapeName } from '../bench/checkpoint.js';
import { describeMachine } from '../bench/machine.js';
import { atLeast, atMost, informs, median, type Row } from '../bench/rows.js';
import { memoryBandwidth } from './bandwidth.js';
import { RandomSource } from './random-source.js';
import { type Decided, Stepper, type StepTimes } from './stepper.js';

const LIVE_TOKENS = 100;
const formats = ['f32', 'q8', 'q4', 'f16', 'q8f16', 'q4f16'] as const satisfies readonly WeightsName[];

interface Options {
  readonly shape: ShapeName;
  readonly weights: WeightsName;
  readonly out: string;
  readonly steps: number;
  readonly seed: number;
  readonly copyMb: number;
  readonly driver?: string;
  readonly folder?: string;
  readonly makeOnly?: boolean;
}

const options = new Command('gpu')
  .description('Measures decoding on the GPU, in one JSON document.')
  .addOption(new Option('--shape <name>', 'of the model').choices(Object.keys(shapes)).default('llama1b'))
  .addOption(new Option('--weights <format>', 'of the model').choices(formats).default('q4'))
  .option('--out <file>', 'where the JSON goes', 'gpu.json')
  .option('--steps <n>', 'steps per figure', Number, 40)
  .option('--seed <n>', 'of the weights', Number, 1)
  .option('--copy-mb <n>', 'size of the tensor that the bandwidth is measured with', Number, 96)
  .option('--folder <folder>', 'where the model is made, or found, and left')
  .option('--make-only', 'make the model there and measure nothing: needs no GPU')
  .option('--driver <manifests>', 'of the Vulkan driver, where the system does not list it')
  .parse()
  .opts<Options>();

const say = (text: string): void => void process.stderr.write(`${text}\n`);
const rows: Row[] = [];
/** A target of time: a software driver neither meets nor misses it. */
const onGpu = (row: Row): Row => (isSoftware ? { ...row, target: null, holds: null } : row);
const add = (row: Row): void => {
  rows.push(row);
  say(
    `  ${row.name}: ${row.value} ${row.unit}${row.target === null ? '' : ` (${row.target}: ${row.holds ? 'holds' : 'MISSED'})`}`,
  );
};

const folder = options.folder ?? mkdtempSync(path.join(tmpdir(), 'trimtab-gpu-'));
if (options.makeOnly === true) {
  makeModel();
  process.exit(0);
}

const found = await adapters(options.driver === undefined ? {} : { VK_DRIVER_FILES: options.driver });
const isSoftware = found.drivers.some(({ library }) => /swiftshader|lvp|lavapipe/i.test(library));
const document = {
  at: new Date().toISOString(),
  adapter: {
    available: found.available,
    problem: found.problem,
    float16: found.float16,
    drivers: found.drivers,
    card: cardName(),
    isSoftware,
  },
  machine: describeMachine(),
  model: { shape: options.shape, weights: options.weights, seed: options.seed, parameters: 0, weightBytes: 0 },
  note: isSoftware ? 'A software driver: counts hold, times say nothing about a GPU.' : null,
  rows,
  finished: false,
};
// Written after every part: a run that is cut off leaves what it has.
const save = (): void => writeFileSync(options.out, `${JSON.stringify(document, null, 1)}\n`);
save();
if (!found.available) {
  say(`no adapter: ${found.problem}`);
  process.exit(1);
}
if (computesInFloat16(options.weights) && !found.float16) {
  say(`${options.weights}: this adapter does not compute in float16 (shader-f16)`);
  process.exit(1);
}

try {
  await measure();
  document.finished = true;
} finally {
  save();
  if (options.folder === undefined) rmSync(folder, { recursive: true });
}
// Native threads may keep the process alive.
process.exit(0);

/** Random weights in the model's shape, unless they are there. */
function makeModel(): void {
  mkdirSync(folder, { recursive: true });
  // Written last.
  if (existsSync(path.join(folder, 'decoder.json'))) return;
  const shape = shapes[options.shape];
  const spec = readDecoderSpec(configOf(shape, 'causal') as JsonObject);
  const format = weightFormat(options.weights, spec);
  writeDecoder(spec, new RandomSource(shape, options.seed), format, folder, undefined, 'webgpu');
}

async function measure(): Promise<void> {
  let started = performance.now();
  makeModel();
  const weightBytes = statSync(path.join(folder, weightsFile)).size;
  Object.assign(document.model, { weightBytes });
  add(informs('making the model', (performance.now() - started) / 1000, 's'));

  const traffic = new Traffic();
  const transfer = new Transfer(traffic);
  const kernels = new LogitKernels({ threads: 1, device: 'webgpu', traffic });
  const load = (profilePrefix?: string): Promise<DeviceDecoder> =>
    DeviceDecoder.load(folder, (layers, dtype) => new Banks(layers, dtype, transfer, traffic), traffic, {
      profilePrefix,
    });
  started = performance.now();
  const model = await load();
  Object.assign(document.model, { parameters: model.parameters });
  add(informs('loading the model', (performance.now() - started) / 1000, 's'));
  save();

  const bandwidth = await memoryBandwidth(options.copyMb * 2 ** 20, 5);
  add(
    informs(
      'memory bandwidth',
      bandwidth / 1e9,
      'GB/s',
      `${options.copyMb} MB read and written by one-operand kernels`,
    ),
  );

  const plain: Decided = { distribution: logits('a'), sampler: {} };
  const alone = new Map<number, StepTimes>();
  for (const count of [1, 32]) {
    const before = { uploaded: traffic.uploaded, read: sumOf(traffic) };
    const { times, steps } = await timed([model], plain, count);
    alone.set(count, times);
    const tokens = count * steps;
    add(informs(`decode, ${count} rows`, (count * 1000) / times.wholeMs, 'tokens/s'));
    add(
      onGpu(atMost(`host time of a step, ${count} rows`, times.handedMs, 'ms', 1, 'until the forward is handed over')),
    );
    add(atMost(`read back, ${count} rows`, (sumOf(traffic) - before.read) / tokens, 'B/token', 256));
    add(
      atMost(
        `uploaded, ${count} rows`,
        (traffic.uploaded - before.uploaded) / tokens,
        'B/token',
        4096,
        'one bank of slot numbers included',
      ),
    );
    save();
  }
  const [one, many] = [alone.get(1)?.wholeMs ?? NaN, alone.get(32)?.wholeMs ?? NaN];
  add(onGpu(atLeast('decode of 1 row ÷ what its bytes allow', (weightBytes / bandwidth) * (1000 / one), '', 0.5)));
  add(onGpu(atLeast('tokens/s of 32 rows ÷ of 1 row', (32 * one) / many, '', 8)));
  save();

  // Where one model's weights lie three times, its logits are three views.
  const three = [model, await load(), await load()];
  const eft = linear([
    [1, logits('a')],
    [
      0.7,
      linear([
        [1, logits('b')],
        [-1, logits('c')],
      ]),
    ],
  ]);
  const steered = await timed(three, { distribution: eft, sampler: {} }, 1);
  add(informs('decode, EFT of three, 1 row', 1000 / steered.times.wholeMs, 'tokens/s'));
  add(onGpu(atMost('EFT of three ÷ the sum of its parts', steered.times.wholeMs / (3 * one), '', 1.1)));
  save();

  await timeKernels(three, eft, steered.times.wholeMs);
  for (const each of three.slice(1)) await each.release();
  save();
  add(
    informs(
      'operators of a forward',
      await operators(),
      '',
      'after the runtime has fused them; those that only rename a shape counted',
    ),
  );

  /** Steps until their times are steady; the median of each part. */
  async function timed(
    models: readonly DeviceDecoder[],
    decided: Decided,
    count: number,
  ): Promise<{ readonly times: StepTimes; readonly steps: number }> {
    const warm = Math.min(5, options.steps);
    const steps = options.steps + warm;
    const stepper = await Stepper.make(models, kernels, decided, { rows: count, live: LIVE_TOKENS, steps });
    const all: StepTimes[] = [];
    for (let step = 0; step < steps; step++) all.push(await stepper.step());
    stepper.release();
    const of = (part: keyof StepTimes): number => median(all.slice(warm).map((times) => times[part]));
    return { times: { wholeMs: of('wholeMs'), handedMs: of('handedMs'), decidedMs: of('decidedMs') }, steps };
  }

  /** Kernels over logits that are there, the way back included, beside the steps that they are part of. */
  async function timeKernels(models: readonly DeviceDecoder[], steering: Scores, stepMs: number): Promise<void> {
    const normal = (view: string): Logprobs => logSoftmax(logits(view));
    const cases: readonly [string, Decided][] = [
      ['greedy', plain],
      ['sampled, top_p 0.9', { distribution: logits('a'), sampler: { temperature: 0.8, topP: 0.9 } }],
      ['EFT, greedy', { distribution: steering, sampler: {} }],
      [
        'fusion of one expert',
        {
          distribution: fused({
            base: normal('a'),
            reference: normal('b'),
            experts: [normal('c')],
            search: 'single',
            bounds: [2],
          }),
          sampler: {},
        },
      ],
    ];
    const stepper = await Stepper.make(models, kernels, plain, { rows: 1, live: LIVE_TOKENS, steps: 1 });
    const made = await stepper.logits();
    for (const [name, decided] of cases) {
      const views = name.startsWith('EFT') || name.startsWith('fusion') ? made : made.slice(0, 1);
      const own: number[] = [];
      for (let run = 0; run < Math.min(20, options.steps) + 2; run++) {
        const begun = performance.now();
        await stepper.decide(views, decided);
        own.push(performance.now() - begun);
      }
      const ms = median(own.slice(2));
      const step = views.length === 1 ? one : stepMs;
      add(informs(`kernel, ${name}`, ms, 'ms', 'the way back to the host included'));
      add(onGpu(atMost(`kernel, ${name} ÷ its step`, ms / step, '', 0.05)));
    }
    for (const tensor of made) tensor.dispose();
    stepper.release();
  }

  /** Of one step, as the runtime's own trace counts them. */
  async function operators(): Promise<number> {
    const prefix = path.join(folder, 'trace');
    const traced = await load(prefix);
    const stepper = await Stepper.make([traced], kernels, plain, { rows: 1, live: LIVE_TOKENS, steps: 1 });
    for (const tensor of await stepper.logits()) tensor.dispose();
    stepper.release();
    await traced.release();
    const file = readdirSync(folder).find((name) => name.startsWith('trace'));
    if (file === undefined) return NaN;
    const events = JSON.parse(readFileSync(path.join(folder, file), 'utf8')) as { cat?: string; name?: string }[];
    return events.filter(({ cat, name }) => cat === 'Node' && name?.endsWith('_kernel_time')).length;
  }
}

function sumOf({ read }: Traffic): number {
  return [...read.values()].reduce((sum, bytes) => sum + bytes, 0);
}

/** As the vendor's own tool says it; null where there is none. */
function cardName(): string | null {
  try {
    return execFileSync('nvidia-smi', ['--query-gpu=name,driver_version,memory.total', '--format=csv,noheader'])
      .toString()
      .trim();
  } catch {
    return null;
  }
}
