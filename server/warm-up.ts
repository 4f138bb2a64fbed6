// One token of everything that is served, greedily and sampled, before the server says it is ready: compiles the logit kernels and lets
// the runtime make its first allocations, which would otherwise cost the first user some hundred milliseconds. Called by main.ts.
import type { Catalog } from './context.js';
import type { EngineClient } from './engine/client.js';
import { greedySampling, type DecodeRequest, type SamplingParams } from './wire/decode.js';

/** Greedy; the plain sampler; the sampler that has to sort. */
const samplings: readonly SamplingParams[] = [
  greedySampling,
  { ...greedySampling, temperature: 1 },
  { ...greedySampling, temperature: 1, topP: 0.9 },
];

/** Long enough to take the prefill path, too short to be kept as a prefix. */
const PROMPT_TOKENS = 4;

export async function warmUp(engine: EngineClient, catalog: Catalog): Promise<void> {
  const requests = catalog.list().flatMap(({ id }) => {
    const { distribution, views, tokenizerModel, vocabSize } = catalog.resolve(id);
    return samplings.map((sampling, i): DecodeRequest => ({
      requestId: `warm-up-${id}-${i}`,
      distribution,
      promptIds: views.map(() => new Int32Array(PROMPT_TOKENS)),
      tokenizer: tokenizerModel,
      vocabSize,
      n: 1,
      seed: 0,
      sampling,
      maxTokens: 2,
      minTokens: 0,
      stop: [],
      includeStop: false,
      stopTokenIds: [],
      logprobs: null,
      priority: 0,
    }));
  });
  for (const request of requests)
    for await (const event of engine.submit(request)) {
      // A model that is broken tells so when it is asked; it must not keep the others from being served.
      if (event.kind === 'failed') break;
    }
}
