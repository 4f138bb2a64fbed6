// One peer in a process of its own: reads a Job as JSON from stdin, generates, prints a Result as JSON. Greedy, exactly `tokens` tokens,
// end-of-sequence ignored. The streams of a wave start and step together, which is the best case for both peers. It judges nothing:
// loadtest/bench/peers.ts, which starts it, turns the times into figures.
import { mkdtempSync, symlinkSync } from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import { text } from 'node:stream/consumers';

/** The same shape is declared in loadtest/bench/peers.ts: this package is compiled apart. */
interface Job {
  readonly engine: 'node-llama-cpp' | 'transformers.js';
  readonly modelPath: string;
  /** transformers.js only. */
  readonly dtype: 'q4' | 'q8';
  readonly threads: number;
  readonly tokens: number;
  /** waves × streams × prompt ids; the first wave warms up with few tokens. */
  readonly waves: readonly (readonly (readonly number[])[])[];
}

interface Wave {
  readonly sentMs: number;
  /** Per stream, the time of each token. */
  readonly arrivalsMs: number[][];
}

type OnToken = (stream: number) => void;

interface Peer {
  generate(prompts: readonly (readonly number[])[], tokens: number, onToken: OnToken): Promise<void>;
}

const WARM_UP_TOKENS = 8;

const job = JSON.parse(await text(process.stdin)) as Job;
const peer = await (job.engine === 'node-llama-cpp' ? llamaCpp(job) : transformersJs(job));
const results: Wave[] = [];
for (const [index, prompts] of job.waves.entries()) {
  const arrivalsMs: number[][] = prompts.map(() => []);
  const sentMs = performance.now();
  const tokens = index === 0 ? Math.min(WARM_UP_TOKENS, job.tokens) : job.tokens;
  await peer.generate(prompts, tokens, (stream) => arrivalsMs[stream]?.push(performance.now()));
  if (index > 0) results.push({ sentMs, arrivalsMs });
}
process.stdout.write(`${JSON.stringify(results)}\n`, () => process.exit(0));

async function llamaCpp({ modelPath, threads, tokens, waves }: Job): Promise<Peer> {
  const { getLlama, LlamaLogLevel } = await import('node-llama-cpp');
  const llama = await getLlama({ gpu: false, build: 'never', maxThreads: threads, logLevel: LlamaLogLevel.error });
  const model = await llama.loadModel({ modelPath });
  const streams = waves[0]?.length ?? 1;
  const length = Math.max(...waves.flat().map((prompt) => prompt.length)) + tokens;
  // a context per sequence, in steps of 256 as llama.cpp pads it
  const context = await model.createContext({
    contextSize: Math.ceil(length / 256) * 256,
    sequences: streams,
    threads,
  });
  const sequences = Array.from({ length: streams }, () => context.getSequence());
  return {
    async generate(prompts, count, onToken) {
      for (const sequence of sequences) await sequence.clearHistory();
      type Prompt = Parameters<(typeof sequences)[number]['evaluate']>[0];
      const running = prompts.flatMap((prompt, stream) => {
        const sequence = sequences[stream];
        return sequence ? [sequence.evaluate(prompt as Prompt, { temperature: 0, yieldEogToken: true })] : [];
      });
      // lockstep: llama.cpp splits a batch whose sequences are not all present and in order
      for (let step = 0; step < count; step++) {
        await Promise.all(running.map((tokens) => tokens.next()));
        running.forEach((_, stream) => onToken(stream));
      }
      await Promise.all(running.map((tokens) => tokens.return()));
    },
  };
}

async function transformersJs({ modelPath, dtype, threads }: Job): Promise<Peer> {
  const { AutoModelForCausalLM, BaseStreamer, Tensor, env } = await import('@huggingface/transformers');
  env.allowRemoteModels = false;
  env.allowLocalModels = true;
  // it wants a base folder and a name below it
  const base = mkdtempSync(path.join(os.tmpdir(), 'peer-'));
  symlinkSync(path.resolve(modelPath), path.join(base, 'model'));
  env.localModelPath = base;
  const model = await AutoModelForCausalLM.from_pretrained('model', {
    dtype,
    device: 'cpu',
    local_files_only: true,
    session_options: { intraOpNumThreads: threads, interOpNumThreads: 1 },
  });
  class Tap extends BaseStreamer {
    #isPrompt = true;
    constructor(readonly onStep: (streams: number) => void) {
      super();
    }
    override put(value: bigint[][]): void {
      if (!this.#isPrompt) this.onStep(value.length);
      this.#isPrompt = false;
    }
    override end(): void {}
  }
  return {
    async generate(prompts, count, onToken) {
      const dims = [prompts.length, prompts[0]?.length ?? 0];
      const ids = BigInt64Array.from(prompts.flat(), BigInt);
      await model.generate({
        input_ids: new Tensor('int64', ids, dims),
        attention_mask: new Tensor('int64', new BigInt64Array(ids.length).fill(1n), dims),
        max_new_tokens: count,
        do_sample: false,
        eos_token_id: null,
        streamer: new Tap((streams) => {
          for (let stream = 0; stream < streams; stream++) onToken(stream);
        }),
      } as unknown as Parameters<typeof model.generate>[0]);
    },
  };
}
