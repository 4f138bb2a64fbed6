// The load driver's arithmetic: arrivals, goodput, vLLM's field names, the cost of methods, the report. And the whole program against a
// server of known timing is the business of measure.test.ts; here everything is exact.
import { describe, expect, it } from 'vitest';
import { gammaArrivalsMs, poissonArrivalsMs } from '../../loadtest/arrivals.js';
import { costsOf } from '../../loadtest/cost.js';
import { goodput, meets } from '../../loadtest/goodput.js';
import { limit, readOptions } from '../../loadtest/options.js';
import { charts, htmlReport } from '../../loadtest/report.js';
import { vllmResult } from '../../loadtest/vllm-result.js';
import { trace } from '../support/load-trace.js';

describe('arrivals', () => {
  const gaps = (due: readonly number[]): number[] => due.map((at, index) => at - (due[index - 1] ?? 0));
  const moments = (values: readonly number[]): { mean: number; variation: number } => {
    const mean = values.reduce((a, b) => a + b, 0) / values.length;
    const variance = values.reduce((sum, x) => sum + (x - mean) ** 2, 0) / values.length;
    return { mean, variation: Math.sqrt(variance) / mean };
  };

  it('burstiness 1 is the Poisson process, infinity a clock', () => {
    expect(gammaArrivalsMs(5, 1, 50, 3)).toEqual(poissonArrivalsMs(5, 50, 3));
    expect(gammaArrivalsMs(4, Infinity, 4, 3)).toEqual([250, 500, 750, 1000]);
  });

  // A gamma of shape k has a coefficient of variation of 1/√k: a law, checked on a fixed seed with room for 20 000 draws.
  it.each([0.25, 0.5, 2, 16])('shape %d keeps the rate and has the spread of its law', (shape) => {
    const { mean, variation } = moments(gaps(gammaArrivalsMs(10, shape, 20_000, 7)));
    expect(mean).toBeGreaterThan(100 * (1 - 0.06));
    expect(mean).toBeLessThan(100 * (1 + 0.06));
    expect(variation * Math.sqrt(shape)).toBeGreaterThan(0.93);
    expect(variation * Math.sqrt(shape)).toBeLessThan(1.07);
  });
});

describe('goodput', () => {
  const quick = trace([100, 110, 120]);
  const lateStart = trace([600, 610, 620]);
  const slow = trace([100, 300, 500]);
  const failed = trace([], { error: 'refused', endMs: 1000 });

  it('counts what meets all limits at once, over the whole run', () => {
    const all = [quick, lateStart, slow, failed];
    expect(goodput(all, { ttft: 500 })).toBe(2);
    expect(goodput(all, { ttft: 500, tpot: 50 })).toBe(1);
    expect(goodput(all, { e2el: 550 })).toBe(2);
    expect(goodput(all, {})).toBeNull();
  });
  it('counts from the moment a request was due, and the limit itself is met', () => {
    expect(meets(trace([100, 110], { dueMs: -500 }), { ttft: 500 })).toBe(false);
    expect(meets(quick, { ttft: 100, tpot: 10, e2el: 120 })).toBe(true);
    expect(meets(trace([100]), { tpot: 1 })).toBe(true);
  });
});

describe('the result', () => {
  it("has vLLM's names and these values", () => {
    const result = vllmResult(
      [trace([100, 140, 180]), trace([200, 220, 240]), trace([], { error: 'x', endMs: 2000 })],
      {
        model: 'm',
        rate: 2,
        burstiness: 1,
        maxConcurrency: null,
        limits: { ttft: 150 },
        date: 'today',
      },
    );
    expect(result).toMatchObject({
      model_id: 'm',
      num_prompts: 3,
      completed: 2,
      failed: 1,
      duration: 2,
      request_rate: 2,
      burstiness: 1,
      max_concurrency: null,
      total_input_tokens: 8,
      total_output_tokens: 6,
      request_throughput: 1,
      request_goodput: 0.5,
      output_throughput: 3,
      total_token_throughput: 7,
      mean_ttft_ms: 150,
      median_ttft_ms: 150,
      std_ttft_ms: 50,
      p99_ttft_ms: 199,
      mean_tpot_ms: 30,
      mean_itl_ms: 30,
      median_e2el_ms: 210,
    });
    for (const figure of ['ttft', 'tpot', 'itl', 'e2el'])
      for (const statistic of ['mean', 'median', 'std', 'p50', 'p90', 'p95', 'p99'])
        expect(result).toHaveProperty(`${statistic}_${figure}_ms`);
  });
  it('is JSON even when nothing was answered', () => {
    const facts = { model: 'm', rate: Infinity, burstiness: Infinity, maxConcurrency: 2, limits: {}, date: '' };
    const result = JSON.parse(JSON.stringify(vllmResult([trace([], { error: 'x', endMs: 10 })], facts))) as object;
    expect(result).toMatchObject({ completed: 0, request_rate: 'inf', burstiness: 'inf', mean_ttft_ms: null });
  });
});

describe('the cost of methods', () => {
  const base = [trace([10, 20]), trace([20, 40])];
  const steered = [
    trace([30, 60], { forwards: { large: 10, small: 6 } }),
    trace([40, 80], { forwards: { large: 10, small: 6 } }),
  ];
  it('is the median of the ratios of each round', () => {
    const costs = costsOf(
      ['plain', 'eft', 'bad'],
      new Map([
        ['plain', base],
        ['eft', steered],
        ['bad', [trace([], { error: 'no' })]],
      ]),
    );
    expect(costs[0]).toMatchObject({
      model: 'plain',
      times_first: 1,
      ms_per_token: 15,
      failed: 0,
      rows_per_token: null,
    });
    expect(costs[1]).toMatchObject({ times_first: 2.5, ms_per_token: 35, rows_per_token: { large: 5, small: 3 } });
    expect(costs[2]).toMatchObject({ failed: 1, error: 'no', ms_per_token: NaN });
  });
  it('and the report draws it, with what failed, and lets no name become markup', () => {
    const costs = costsOf(
      ['plain', '<b>'],
      new Map([
        ['plain', base],
        ['<b>', steered],
      ]),
    );
    const results = [1, 2].map((rate) =>
      vllmResult(base, { model: 'm', rate, burstiness: 1, maxConcurrency: null, limits: { ttft: 15 }, date: '' }),
    );
    const page = htmlReport({ title: 'a & b', facts: [['server', 'http://x']], results, costs });
    expect(Object.keys(charts({ results, costs }))).toEqual(['ttft', 'itl', 'throughput', 'tokens', 'cost']);
    expect(Object.keys(charts({ results: results.slice(1), costs: [] }))).toEqual([]);
    expect(page).toContain('<title>a &amp; b</title>');
    expect(page).toContain('&lt;b&gt;');
    expect(page).not.toMatch(/<b>|NaN|<script/);
    expect(page.match(/<svg /g)).toHaveLength(5);
  });
});

describe('options', () => {
  it('are read, and limits add up', () => {
    const options = readOptions([
      '--url',
      'http://x',
      '--sweep',
      '1,2.5',
      '--goodput',
      'ttft:500',
      'tpot:50',
      '--methods',
      'a,b',
      '--burstiness',
      'inf',
    ]);
    expect(options).toMatchObject({
      sweep: [1, 2.5],
      goodput: { ttft: 500, tpot: 50 },
      methods: ['a', 'b'],
      burstiness: Infinity,
    });
  });
  it.each(['ttft', 'ttft:', 'ttft:-1', 'speed:1', 'ttft:1:2'])('%s is no limit', (text) => {
    expect(() => limit(text)).toThrow('e.g. ttft:500');
  });
});
