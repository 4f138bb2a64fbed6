// A model in float16 whose activations leave its range: what the requests see. The engine's device rows over the graph of the device, on the
// CPU provider with every value stored in 16 bits (tests/support/rounded.ts).
import { afterAll, beforeAll, expect, it } from 'vitest';
import { logits } from '../../decoders/expr.js';
import { readDecoderSpec } from '../../kernels/decoder/families/index.js';
import type { WeightFormat } from '../../kernels/decoder/format.js';
import { DeviceCache } from '../../server/engine/device-cache.js';
import { DeviceRows } from '../../server/engine/device-rows.js';
import { Engine } from '../../server/engine/engine.js';
import { EngineModel } from '../../server/engine/model.js';
import { type LoadedOnDevice, loadSource } from '../support/device-decoder.js';
import { randomTensors, smallLlama, sourceOf, type Tensors } from '../support/small-llama.js';
import { TOY_VOCAB, toyTable } from '../support/toy-decoder.js';
import { drain, eft, request, toyServices } from '../support/toy-engine.js';
import { twinKernels } from '../support/twin-kernels.js';

const spec = readDecoderSpec({ ...smallLlama, vocab_size: TOY_VOCAB });

/** What the gated part of the first layer makes is far beyond 65504. */
function loud(): Tensors {
  const tensors = randomTensors(TOY_VOCAB);
  for (const name of ['gate', 'up']) {
    const { data } = tensors.get(`model.layers.0.mlp.${name}_proj.weight`)!;
    data.forEach((x, i) => (data[i] = x * 1e4));
  }
  return tensors;
}

const loaded: LoadedOnDevice[] = [];
const models = new Map<string, EngineModel>();
async function add(name: string, weights: 'f32' | 'f16', tensors: Tensors): Promise<void> {
  const format: WeightFormat = { kind: weights };
  const one = await loadSource(spec, sourceOf(tensors), format, 'cpu');
  loaded.push(one);
  const cache = new DeviceCache(spec.layers, one.banks, { maxRows: 8, bytes: 1 << 24 });
  const info = {
    name,
    kind: 'causal' as const,
    family: 'llama',
    weights,
    device: 'webgpu' as const,
    vocabSize: TOY_VOCAB,
    contextLength: 64,
    parameters: 0,
    loadMs: 0,
  };
  const place = new DeviceRows(one.decoder, cache, one.transfer);
  models.set(name, new EngineModel(place, null, toyTable, info, { prefixCacheBytes: 0 }));
}

beforeAll(async () => {
  await add('large', 'f32', randomTensors(TOY_VOCAB));
  await add('small', 'f16', randomTensors(TOY_VOCAB));
  await add('tuned', 'f16', loud());
});
afterAll(() => Promise.all(loaded.map((one) => one.release())));

const engineOf = (): Engine =>
  new Engine(models, twinKernels, { tokensPerTick: 64, maxRows: 8, maxWaiting: 8 }, toyServices());
const promptIds = [1, 2, 3].map(() => Int32Array.from([1, 2, 3]));
const asked = { promptIds, maxTokens: 4, stopTokenIds: [] };

it('in range, half precision answers', async () => {
  const engine = engineOf();
  engine.submit(request('small', { ...asked, distribution: logits('small'), promptIds: promptIds.slice(1) }));
  const events = (await drain(engine)).get('small')!;
  const done = events.at(-1);
  expect(done?.kind === 'done' ? [done.applied.fallbacks, done.usage.completionTokens] : done).toEqual([{}, 4]);
  expect(engine.stats().nanRows).toBe(0);
});

it('a steered row falls back to its first model, says that it was range, and is counted', async () => {
  const engine = engineOf();
  engine.submit(request('steered', { ...asked, distribution: eft(1) }));
  const plain = request('plain', { ...asked, promptIds: promptIds.slice(2) });
  engine.submit({ ...plain, sampling: { ...plain.sampling, temperature: 0 } });
  const all = await drain(engine);
  const idsOf = (id: string): readonly number[] =>
    all.get(id)!.flatMap((event) => (event.kind === 'delta' ? [...event.ids] : []));
  const done = all.get('steered')!.at(-1);
  expect(done?.kind === 'done' ? done.applied.fallbacks : done).toEqual({ overflow: 4 });
  expect(idsOf('steered')).toEqual(idsOf('plain'));
  expect(engine.stats().nanRows).toBe(4);
});

it('with nothing to fall back on, the error names the format and the remedy', async () => {
  const engine = engineOf();
  engine.submit(request('tuned', { ...asked, distribution: logits('tuned'), promptIds: promptIds.slice(2) }));
  expect((await drain(engine)).get('tuned')).toMatchObject([
    {
      kind: 'failed',
      error: {
        code: 'float16_overflow',
        status: 500,
        message: expect.stringMatching(
          /tuned.*position 3: with the weights f16.*65504.*Use "weights": "f32"/,
        ) as string,
      },
    },
  ]);
  expect(engine.stats().nanRows).toBeGreaterThan(0);
});
