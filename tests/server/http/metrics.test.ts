// /metrics: the names that dashboards ask for, engine figures taken over as they are, request figures counted once.
import { afterAll, beforeAll, expect, test } from 'vitest';
import { chat, completion, harness, hello, type Harness } from './support.js';

let server: Harness;
beforeAll(async () => {
  server = await harness(hello);
  const post = (url: string, payload: object) => server.app.inject({ method: 'POST', url, payload });
  await post('/v1/chat/completions', chat());
  await post('/v1/chat/completions', chat({ stream: true, n: 2 }));
  await post('/v1/completions', completion({ model: 'steered', prompt: ['a', 'b'] }));
  await post('/v1/completions', completion({ max_tokens: 90, n: 8, prompt: ['a', 'b', 'c'] }));
});
afterAll(async () => server.app.close());

async function series(): Promise<Map<string, number>> {
  const response = await server.app.inject('/metrics');
  expect(response.headers['content-type']).toMatch(/^text\/plain; version=0\.0\.4/);
  const lines = response.body.split('\n').filter((line) => line !== '' && !line.startsWith('#'));
  return new Map(
    lines.map((line) => [line.slice(0, line.lastIndexOf(' ')), Number(line.slice(line.lastIndexOf(' ')))]),
  );
}

test('requests are counted by model and reason', async () => {
  const all = await series();
  const plain = 'model_name="bytes",engine="0"';
  const steered = 'model_name="steered",engine="0"';
  expect(all.get(`vllm:request_success_total{${plain},finished_reason="stop"}`)).toBe(3);
  expect(all.get(`vllm:request_success_total{${steered},finished_reason="stop"}`)).toBe(2);
  expect(all.get(`vllm:prompt_tokens_total{${plain}}`)).toBe(48);
  expect(all.get(`vllm:prompt_tokens_total{${steered}}`)).toBe(2);
  expect(all.get(`vllm:generation_tokens_total{${plain}}`)).toBe(10);
  expect(all.get(`vllm:e2e_request_latency_seconds_count{${plain}}`)).toBe(2);
  expect(all.get(`vllm:time_to_first_token_seconds_count{${plain}}`)).toBe(2);
  expect(all.get(`vllm:inter_token_latency_seconds_count{${plain}}`)).toBe(2);
  expect(all.get(`vllm:request_prefill_time_seconds_count{${plain}}`)).toBe(2);
  expect(all.get(`vllm:request_inference_time_seconds_sum{${plain}}`)).toBeCloseTo(0.64);
  expect(all.get(`vllm:request_prefill_kv_computed_tokens_sum{${plain}}`)).toBe(46);
  expect(all.get(`vllm:request_prompt_tokens_bucket{le="50",${plain}}`)).toBe(2);
  expect(all.get(`vllm:request_params_n_bucket{le="1",${plain}}`)).toBe(1);
  expect(all.get('vllm:admission_rejections_total{model_name="all",engine="0",reason="budget_exceeded"}')).toBe(1);
});

test("the engine's figures are taken over, however often they are read", async () => {
  await series();
  const all = await series();
  const labels = 'model_name="all",engine="0"';
  expect(all.get(`vllm:num_requests_running{${labels}}`)).toBe(2);
  expect(all.get(`vllm:num_requests_waiting{${labels}}`)).toBe(1);
  expect(all.get('vllm:kv_cache_usage_perc{model_name="bytes",engine="0"}')).toBe(0.25);
  expect(all.get(`vllm:num_preemptions_total{${labels}}`)).toBe(3);
  expect(all.get(`vllm:prefix_cache_queries_total{${labels}}`)).toBe(40);
  expect(all.get(`vllm:prefix_cache_hits_total{${labels}}`)).toBe(4);
  expect(all.get('trimtab_cache_rows{model="bytes"}')).toBe(6);
  expect(all.get('trimtab_cache_bytes{model="bytes"}')).toBe(50);
  expect(all.get('trimtab_model_forward_seconds_total{model="bytes"}')).toBe(1.5);
  expect(all.get('trimtab_model_forwards_total{model="bytes"}')).toBe(30);
  expect(all.get('trimtab_forwards_per_token')).toBe(1.5);
  expect(all.get('trimtab_nan_rows_total')).toBe(5);
  expect(all.get('trimtab_event_loop_delay_seconds{quantile="0.99"}')).toBeGreaterThanOrEqual(0);
});

test('every series has a help text and a type', async () => {
  const { body } = await server.app.inject('/metrics');
  for (const [, name] of body.matchAll(/^# TYPE (\S+) /gm))
    expect(body).toMatch(new RegExp(`^# HELP ${name} \\S`, 'm'));
});
