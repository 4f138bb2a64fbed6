// Traces and speculation through the real logit kernels: what the engine tests have as twins elsewhere.
import { afterAll, describe, expect, it } from 'vitest';
import { evaluate, evaluateFusion } from '../../decoders/evaluate.js';
import { fused, logits, logSoftmax, masked, plausible, viewsOf, type Scores } from '../../decoders/expr.js';
import { lawOf, logprobsOf } from '../../decoders/warp.js';
import { LogitKernels } from '../../kernels/logits/kernels.js';
import type { BlockPolicy } from '../../server/engine/block-policy.js';
import type { DecodeEvent, DecodeRequest, TokenTrace } from '../../server/wire/decode.js';
import { TraceWriter } from '../../server/wire/trace.js';
import { toyLogits } from '../support/toy-decoder.js';
import { answerOf, drain, eft, makeEngine, naive, request, SALTS } from '../support/toy-engine.js';

const kernels = new LogitKernels({ threads: 1 });
afterAll(() => kernels.release());

const blocks: BlockPolicy = {
  lengthsFor: ({ candidates }) => candidates.map(({ limit }) => Math.min(3, limit)),
  timed: () => undefined,
  tested: () => undefined,
  ticked: () => undefined,
};
const prompt = [4, 2, 7, 4, 2];
const prompts = (count: number): Int32Array[] => Array.from({ length: count }, () => Int32Array.from(prompt));
const sampling = { ...request('x').sampling, temperature: 0.9, topP: 0.9 };

async function serve(requests: readonly DecodeRequest[]): Promise<Map<string, DecodeEvent[]>> {
  const { engine } = makeEngine({ kernels, blocks });
  requests.forEach((req) => engine.submit(req));
  return drain(engine);
}

const tracesOf = (events: readonly DecodeEvent[] | undefined): TokenTrace[] =>
  (events ?? []).flatMap((event) => (event.kind === 'delta' ? [...(event.traces ?? [])] : []));

const rowAfter = (model: string, ids: readonly number[]): Float64Array =>
  Float64Array.from(toyLogits([...prompt, ...ids], SALTS[model]!));

describe('the real kernels', () => {
  it('speculate as the naive decoder does, sampled and greedy, with filters and a mask', async () => {
    const distributions: Scores[] = [eft(0.4), masked(eft(0.3), plausible(logSoftmax(logits('large')), 0.02))];
    const requests = distributions.flatMap((distribution, d) =>
      ['tuned', 'near', 'lookup'].flatMap((draft) =>
        [0, 0.9].map((temperature) =>
          request(`${d} ${draft} ${temperature}`, {
            distribution,
            promptIds: prompts(3),
            sampling: { ...sampling, temperature, repetitionPenalty: 1.1 },
            maxTokens: 24,
            stopTokenIds: [],
            speculation: { draft, tokens: 3 },
          }),
        ),
      ),
    );
    const events = await serve(requests);
    for (const req of requests) {
      const answer = answerOf(events.get(req.requestId)!, 0);
      const expected = naive(req, 0);
      expect(answer.ids, req.requestId).toEqual(expected.ids);
      answer.logprobs.forEach((logprob, i) => expect(logprob).toBeCloseTo(expected.logprobs[i]!, 3));
    }
  });
});

describe('a trace', () => {
  it('tells what each member thought, how far it was from the base, what was left, and what was drafted', async () => {
    const req = request('r', {
      distribution: eft(0.3),
      promptIds: prompts(3),
      sampling: { ...sampling, topK: 3, topP: 1 },
      maxTokens: 16,
      stopTokenIds: [],
      logprobs: null,
      traceLimit: 100,
      speculation: { draft: 'near', tokens: 3 },
    });
    const events = (await serve([req])).get('r');
    const traces = tracesOf(events);
    const { ids } = naive(req, 0);
    expect(traces.map(({ id }) => id)).toEqual(ids);
    const views = viewsOf(req.distribution);
    traces.forEach((trace, i) => {
      const before = ids.slice(0, i);
      views.forEach(({ model }, v) =>
        expect(trace.members[v]).toBeCloseTo(logprobsOf(rowAfter(model, before))[trace.id]!, 3),
      );
      const p = logprobsOf(evaluate(req.distribution, ({ model }) => rowAfter(model, before)));
      const base = logprobsOf(rowAfter('large', before));
      expect(trace.kl).toBeCloseTo(
        p.reduce((sum, logprob, id) => sum + Math.exp(logprob) * (logprob - base[id]!), 0),
        3,
      );
      expect(trace.kept).toBe(lawOf(p, req.sampling).ids.length);
      expect(trace.accepted && !trace.drafted).toBe(false);
    });
    const done = events?.at(-1);
    if (done?.kind !== 'done') throw new Error('not done');
    expect(traces.filter(({ accepted }) => accepted)).toHaveLength(done.applied.speculation!.accepted);
    expect(done.applied.speculation!.accepted).toBeGreaterThan(0);
  });

  it('ends at its limit, says so once, and never was there where nobody asked', async () => {
    const traced = request('traced', { maxTokens: 9, n: 2, stopTokenIds: [], traceLimit: 4 });
    const events = await serve([traced, request('plain', { maxTokens: 9, stopTokenIds: [] })]);
    for (const choice of [0, 1]) {
      const deltas = events
        .get('traced')!
        .flatMap((event) => (event.kind === 'delta' && event.choice === choice ? [event] : []));
      expect(deltas.flatMap(({ traces }) => traces ?? [])).toHaveLength(4);
      expect(deltas.filter(({ traceCut }) => traceCut)).toHaveLength(1);
    }
    expect(JSON.stringify(events.get('plain'))).not.toContain('trace');
  });

  it('names the experts of dynamic fusion with the weights that were used', async () => {
    const distribution = fused({
      base: logSoftmax(logits('large')),
      reference: logSoftmax(logits('small')),
      experts: [logSoftmax(logits('tuned')), logSoftmax(logits('near'))],
      search: 'single',
      bounds: [1.5, 1.5],
    });
    const req = request('r', { distribution, promptIds: prompts(4), maxTokens: 5, stopTokenIds: [], traceLimit: 9 });
    const [first] = tracesOf((await serve([req])).get('r'));
    expect(first?.weights).toHaveLength(2);
    const { decoding_trace: wire, decoding_trace_cut: cut } = new TraceWriter(distribution).write([first!], true);
    expect(cut).toBe(true);
    expect(Object.keys(wire[0]!.members)).toEqual(['large', 'small', 'tuned', 'near']);
    expect(wire[0]!.weights).toEqual({ tuned: first!.weights[0], near: first!.weights[1] });
    expect(wire[0]!.token).toBe(String.fromCharCode(97 + first!.id));
  });

  it('tells which experts stood at their bound, and the reply how often, traced or not', async () => {
    const distribution = fused({
      base: logSoftmax(logits('large')),
      reference: logSoftmax(logits('small')),
      experts: [logSoftmax(logits('tuned')), logSoftmax(logits('tuned'))],
      search: 'joint',
      bounds: [0.05, 1],
    });
    const base = { distribution, promptIds: prompts(3), maxTokens: 24, stopTokenIds: [] };
    const events = await serve([
      request('traced', { ...base, traceLimit: 99 }),
      request('not traced', base),
      request('plain', { maxTokens: 2 }),
    ]);
    const appliedTo = (id: string): unknown => {
      const done = events.get(id)?.at(-1);
      return done?.kind === 'done' ? done.applied.boundHits : 'not done';
    };
    const traces = tracesOf(events.get('traced'));
    const node = distribution.kind === 'fused' ? distribution : expect.fail('no fusion');
    const ids = traces.map(({ id }) => id);
    const expected = ids.map((_, i) => evaluateFusion(node, ({ model }) => rowAfter(model, ids.slice(0, i))).atBound);
    expect(traces.map(({ atBound }) => [0, 1].map((expert) => atBound.includes(expert)))).toEqual(expected);
    const hits = [0, 1].map((expert) => expected.filter((at) => at[expert]).length);
    expect(Math.max(...hits)).toBeGreaterThan(0);
    expect(Math.min(...hits)).toBeLessThan(ids.length);
    expect(appliedTo('traced')).toEqual(hits);
    expect(appliedTo('not traced')).toEqual(hits);
    expect(appliedTo('plain')).toBeUndefined();
    // Two experts of one name are two entries.
    const at = traces.findIndex(({ atBound }) => atBound.length > 0);
    const [wire] = new TraceWriter(distribution).write([traces[at]!], false).decoding_trace;
    expect(Object.keys(wire!.weights!)).toEqual(['tuned', 'tuned #2']);
    expect(wire!.at_bound).toEqual(['tuned', 'tuned #2'].filter((_, expert) => expected[at]![expert]));
  });
});
