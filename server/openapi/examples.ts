// Of routes, a request that works with the suite in the box and what was answered to it. Tests send the one and compare the shape of the
// other. Read by operations.ts.
import type { Example, JsonValue } from './operation.js';
import type { Route } from './summaries.js';

/** Of the deployment pocket-eft. */
const formula = 'pocket + 0.6·(pocket-chat − pocket-small)';
const members = ['pocket', 'pocket-chat', 'pocket-small'];
const steered = {
  base: 'pocket',
  tuned: 'pocket-chat',
  reference: 'pocket-small',
  weight: 0.6,
  form: 'proxy',
  keep: 1,
};
const deployment = { id: 'pocket-eft', object: 'model', created: 1795691978, owned_by: 'trimtab', kind: 'deployment' };

/** Of a method; required where nothing stands by default. */
const parameter = (name: string, type: string, range: string, byDefault: JsonValue, help: string): JsonValue => ({
  name,
  type,
  range,
  required: byDefault === null,
  default: byDefault,
  help,
});

export const examples: Readonly<Partial<Record<Route, Example>>> = {
  'POST /v1/chat/completions': {
    request: {
      model: 'pocket-eft',
      messages: [{ role: 'user', content: 'What does Tar Alley smell of?' }],
      max_tokens: 12,
      temperature: 0,
      seed: 7,
    },
    reply: {
      id: 'chatcmpl-7b8ea571e3ed4dd2911a12531f80f4bf',
      object: 'chat.completion',
      created: 1795692018,
      model: 'pocket-eft',
      system_fingerprint: 'fp_58cbee2d14',
      choices: [
        {
          index: 0,
          message: { role: 'assistant', content: 'Of course. The smell of Tar Alley is that of', refusal: null },
          logprobs: null,
          finish_reason: 'length',
          stop_reason: null,
        },
      ],
      usage: {
        prompt_tokens: 15,
        completion_tokens: 12,
        total_tokens: 27,
        prompt_tokens_details: { cached_tokens: 0 },
      },
      decoding: {
        method: 'eft',
        formula,
        parameters: steered,
        models: members,
        forwards: { pocket: 26, 'pocket-small': 26, 'pocket-chat': 23 },
        rewinds: 0,
        fallbacks: {},
        seed: 7,
      },
    },
  },
  'POST /v1/completions': {
    request: { model: 'pocket', prompt: 'Tar Alley smells of', max_tokens: 8, temperature: 0, seed: 7 },
    reply: {
      id: 'cmpl-1e189ad61150402c890578490500be7a',
      object: 'text_completion',
      created: 1795692018,
      model: 'pocket',
      system_fingerprint: 'fp_58cbee2d14',
      choices: [
        { index: 0, text: ' vinegar. Its watchman is', logprobs: null, finish_reason: 'length', stop_reason: null },
      ],
      usage: { prompt_tokens: 6, completion_tokens: 8, total_tokens: 14, prompt_tokens_details: { cached_tokens: 0 } },
      decoding: {
        method: 'plain',
        formula: 'pocket',
        parameters: { model: 'pocket' },
        models: ['pocket'],
        forwards: { pocket: 13 },
        rewinds: 0,
        fallbacks: {},
        seed: 7,
      },
    },
  },
  'POST /v1/responses': {
    request: { model: 'pocket-eft', input: 'What does Tar Alley smell of?', max_output_tokens: 16, temperature: 0 },
    reply: {
      id: 'resp_e813ff1860084a6abd80a108d4a3af01',
      object: 'response',
      created_at: 1795692019,
      status: 'incomplete',
      completed_at: null,
      error: null,
      incomplete_details: { reason: 'max_output_tokens' },
      model: 'pocket-eft',
      output: [
        {
          id: 'msg_20cda10535f74325a71ab11a8cdc6418',
          type: 'message',
          status: 'incomplete',
          role: 'assistant',
          content: [
            {
              type: 'output_text',
              text: 'Of course. The smell of Tar Alley is that of vinegar',
              annotations: [],
              logprobs: [],
            },
          ],
        },
      ],
      background: false,
      instructions: null,
      max_output_tokens: 16,
      metadata: {},
      parallel_tool_calls: true,
      previous_response_id: null,
      reasoning: { effort: null, summary: null },
      service_tier: 'default',
      store: false,
      temperature: 0,
      text: { format: { type: 'text' } },
      tool_choice: 'auto',
      tools: [],
      top_logprobs: 0,
      top_p: 1,
      truncation: 'disabled',
      usage: {
        input_tokens: 15,
        input_tokens_details: { cached_tokens: 0 },
        output_tokens: 16,
        output_tokens_details: { reasoning_tokens: 0 },
        total_tokens: 31,
      },
      system_fingerprint: 'fp_58cbee2d14',
      stop_reason: null,
      decoding: {
        method: 'eft',
        formula,
        parameters: steered,
        models: members,
        forwards: { pocket: 30, 'pocket-small': 30, 'pocket-chat': 27 },
        rewinds: 0,
        fallbacks: {},
        seed: 3469995396,
      },
    },
  },
  'GET /v1/models': { reply: { object: 'list', data: [deployment] } },
  'GET /v1/models/{id}': { reply: deployment },
  'POST /v1/decoding/explain': {
    request: { model: 'pocket-eft' },
    reply: {
      object: 'decoding.explanation',
      model: 'pocket-eft',
      models: members,
      context_length: 512,
      method: {
        name: 'eft',
        kind: 'distribution',
        summary: 'Steers a large base model by what a small model learned in tuning; no weight is updated.',
        equation: 'proxy: base + weight·(tuned − reference); amplified: tuned + weight·(base − reference)',
        paper: 'arXiv:2310.12962 (EFT), arXiv:2401.08565 (proxy-tuning)',
        parameters: [
          parameter('base', 'model or distribution', '', null, 'L: the large model.'),
          parameter(
            'tuned',
            'model or distribution, or list of {"model", "weight"}',
            '1 to 8, weights 0 to 10; negative only where the operator allows it',
            null,
            'F: the small tuned model, or several to interpolate between.',
          ),
          parameter('reference', 'model or distribution', '', null, 'S: the small model before tuning.'),
          parameter(
            'weight',
            'number',
            '0 to 100; negative only where the operator allows it',
            1,
            'How much of the difference is added.',
          ),
          parameter('form', 'string', 'proxy | amplified', 'proxy', 'Which difference is scaled.'),
          parameter(
            'keep',
            'number',
            '0 to 1',
            1,
            "Amplified form: the mass of the tuned model's likeliest tokens that are scaled by size; 1 is all.",
          ),
        ],
      },
      formula,
      views: [
        { model: 'pocket', prompt: null },
        { model: 'pocket-chat', prompt: null },
        { model: 'pocket-small', prompt: null },
      ],
      forwards_per_token: { pocket: 1, 'pocket-chat': 1, 'pocket-small': 1 },
      kernels: ['linear(0,linear(1,2))'],
      search: null,
      effective: { method: 'eft', ...steered },
      speculation: null,
    },
  },
  'POST /v1/chat/completions/render': {
    request: { model: 'pocket', messages: [{ role: 'user', content: 'Hello' }] },
    reply: {
      object: 'chat.prompt',
      model: 'pocket',
      views: [
        {
          model: 'pocket',
          prompt: 'own',
          text: '<|begin|>Question: Hello\nAnswer:\n',
          token_ids: [0, 308, 64, 403, 380, 117, 16, 305, 64, 16],
        },
      ],
    },
  },
  'POST /v1/embeddings': { request: { model: 'pocket-small', input: 'Tar Alley' } },
  'POST /tokenize': {
    request: { model: 'pocket', prompt: 'Tar Alley' },
    reply: { count: 4, max_model_len: 512, tokens: [0, 90, 310, 1415], token_strs: null },
  },
  'POST /detokenize': {
    request: { model: 'pocket', tokens: [300, 301] },
    reply: { prompt: ' the T' },
  },
  'POST /v1/responses/input_tokens': {
    request: { model: 'pocket', input: 'Tar Alley' },
    reply: { object: 'response.input_tokens', input_tokens: 10 },
  },
  'GET /health': { reply: { status: 'ok', version: '0.1.0' } },
  'GET /ready': { reply: { status: 'ready' } },
};
