// What the OpenAPI document says of each route: a table by method and path. Requests work with the suite in the box and replies are what it
// answered; tests send the ones and compare the shape of the others. A route without an entry fails a test.
import type { Operation } from './operation.js';

export const operations: Readonly<Record<string, Operation>> = {
  'POST /v1/chat/completions': {
    request: {
      model: 'pocket-eft',
      messages: [
        {
          role: 'user',
          content: 'What does Tar Alley smell of?',
        },
      ],
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
          message: {
            role: 'assistant',
            content: 'Of course. The smell of Tar Alley is that of',
            refusal: null,
          },
          logprobs: null,
          finish_reason: 'length',
          stop_reason: null,
        },
      ],
      usage: {
        prompt_tokens: 15,
        completion_tokens: 12,
        total_tokens: 27,
        prompt_tokens_details: {
          cached_tokens: 0,
        },
      },
      decoding: {
        method: 'eft',
        formula: 'pocket + 0.6·(pocket-chat − pocket-small)',
        parameters: {
          base: 'pocket',
          tuned: 'pocket-chat',
          reference: 'pocket-small',
          weight: 0.6,
          form: 'proxy',
          keep: 1,
        },
        models: ['pocket', 'pocket-chat', 'pocket-small'],
        forwards: {
          pocket: 26,
          'pocket-small': 26,
          'pocket-chat': 23,
        },
        rewinds: 0,
        fallbacks: {},
        seed: 7,
      },
    },
    tag: 'Answers',
    summary: 'Answer a chat',
    streams: true,
    description:
      'OpenAI chat completions. `decoding` selects or turns the method; with `stream` the answer comes as server-sent events, ended by `data: [DONE]`.',
  },
  'POST /v1/completions': {
    request: {
      model: 'pocket',
      prompt: 'Tar Alley smells of',
      max_tokens: 8,
      temperature: 0,
      seed: 7,
    },
    reply: {
      id: 'cmpl-1e189ad61150402c890578490500be7a',
      object: 'text_completion',
      created: 1795692018,
      model: 'pocket',
      system_fingerprint: 'fp_58cbee2d14',
      choices: [
        {
          index: 0,
          text: ' vinegar. Its watchman is',
          logprobs: null,
          finish_reason: 'length',
          stop_reason: null,
        },
      ],
      usage: {
        prompt_tokens: 6,
        completion_tokens: 8,
        total_tokens: 14,
        prompt_tokens_details: {
          cached_tokens: 0,
        },
      },
      decoding: {
        method: 'plain',
        formula: 'pocket',
        parameters: {
          model: 'pocket',
        },
        models: ['pocket'],
        forwards: {
          pocket: 13,
        },
        rewinds: 0,
        fallbacks: {},
        seed: 7,
      },
    },
    tag: 'Answers',
    summary: 'Continue a text',
    streams: true,
    description: 'OpenAI completions: a text, a list of texts, token ids or lists of ids.',
  },
  'POST /v1/responses': {
    request: {
      model: 'pocket-eft',
      input: 'What does Tar Alley smell of?',
      max_output_tokens: 16,
      temperature: 0,
    },
    reply: {
      id: 'resp_e813ff1860084a6abd80a108d4a3af01',
      object: 'response',
      created_at: 1795692019,
      status: 'incomplete',
      completed_at: null,
      error: null,
      incomplete_details: {
        reason: 'max_output_tokens',
      },
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
      reasoning: {
        effort: null,
        summary: null,
      },
      service_tier: 'default',
      store: false,
      temperature: 0,
      text: {
        format: {
          type: 'text',
        },
      },
      tool_choice: 'auto',
      tools: [],
      top_logprobs: 0,
      top_p: 1,
      truncation: 'disabled',
      usage: {
        input_tokens: 15,
        input_tokens_details: {
          cached_tokens: 0,
        },
        output_tokens: 16,
        output_tokens_details: {
          reasoning_tokens: 0,
        },
        total_tokens: 31,
      },
      system_fingerprint: 'fp_58cbee2d14',
      stop_reason: null,
      decoding: {
        method: 'eft',
        formula: 'pocket + 0.6·(pocket-chat − pocket-small)',
        parameters: {
          base: 'pocket',
          tuned: 'pocket-chat',
          reference: 'pocket-small',
          weight: 0.6,
          form: 'proxy',
          keep: 1,
        },
        models: ['pocket', 'pocket-chat', 'pocket-small'],
        forwards: {
          pocket: 30,
          'pocket-small': 30,
          'pocket-chat': 27,
        },
        rewinds: 0,
        fallbacks: {},
        seed: 3469995396,
      },
    },
    tag: 'Answers',
    summary: 'Answer in the Responses dialect',
    streams: true,
    description:
      "OpenAI's Responses without its store: `previous_response_id` is refused. Upgraded to a websocket, the same path takes `response.create` messages.",
  },
  'POST /v1/chat/completions/render': {
    request: {
      model: 'pocket',
      messages: [
        {
          role: 'user',
          content: 'Hello',
        },
      ],
    },
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
    tag: 'Tokens',
    summary: 'What each member would read of a chat',
    description: 'Chat template and tokenizer only: nothing is computed.',
  },
  'POST /v1/embeddings': {
    request: {
      model: 'pocket-small',
      input: 'Tar Alley',
    },
    tag: 'Tokens',
    summary: 'Texts as vectors',
    description: 'The hidden states of one model, pooled as the operator has configured it.',
  },
  'POST /tokenize': {
    request: {
      model: 'pocket',
      prompt: 'Tar Alley',
    },
    reply: {
      count: 4,
      max_model_len: 512,
      tokens: [0, 90, 310, 1415],
      token_strs: null,
    },
    tag: 'Tokens',
    summary: 'Text or chat to token ids',
  },
  'POST /detokenize': {
    request: {
      model: 'pocket',
      tokens: [300, 301],
    },
    reply: {
      prompt: ' the T',
    },
    tag: 'Tokens',
    summary: 'Token ids to text',
  },
  'POST /v1/decoding/explain': {
    request: {
      model: 'pocket-eft',
    },
    reply: {
      object: 'decoding.explanation',
      model: 'pocket-eft',
      models: ['pocket', 'pocket-chat', 'pocket-small'],
      context_length: 512,
      method: {
        name: 'eft',
        kind: 'distribution',
        summary: 'Steers a large base model by what a small model learned in tuning; no weight is updated.',
        equation: 'proxy: base + weight·(tuned − reference); amplified: tuned + weight·(base − reference)',
        paper: 'arXiv:2310.12962 (EFT), arXiv:2401.08565 (proxy-tuning)',
        parameters: [
          {
            name: 'base',
            type: 'model or distribution',
            range: '',
            required: true,
            default: null,
            help: 'L: the large model.',
          },
          {
            name: 'tuned',
            type: 'model or distribution, or list of {"model", "weight"}',
            range: '1 to 8, weights 0 to 10; negative only where the operator allows it',
            required: true,
            default: null,
            help: 'F: the small tuned model, or several to interpolate between.',
          },
          {
            name: 'reference',
            type: 'model or distribution',
            range: '',
            required: true,
            default: null,
            help: 'S: the small model before tuning.',
          },
          {
            name: 'weight',
            type: 'number',
            range: '0 to 100; negative only where the operator allows it',
            required: false,
            default: 1,
            help: 'How much of the difference is added.',
          },
          {
            name: 'form',
            type: 'string',
            range: 'proxy | amplified',
            required: false,
            default: 'proxy',
            help: 'Which difference is scaled.',
          },
          {
            name: 'keep',
            type: 'number',
            range: '0 to 1',
            required: false,
            default: 1,
            help: "Amplified form: the mass of the tuned model's likeliest tokens that are scaled by size; 1 is all.",
          },
        ],
      },
      formula: 'pocket + 0.6·(pocket-chat − pocket-small)',
      views: [
        {
          model: 'pocket',
          prompt: null,
        },
        {
          model: 'pocket-chat',
          prompt: null,
        },
        {
          model: 'pocket-small',
          prompt: null,
        },
      ],
      forwards_per_token: {
        pocket: 1,
        'pocket-chat': 1,
        'pocket-small': 1,
      },
      kernels: ['linear(0,linear(1,2))'],
      search: null,
      effective: {
        method: 'eft',
        base: 'pocket',
        tuned: 'pocket-chat',
        reference: 'pocket-small',
        weight: 0.6,
        form: 'proxy',
        keep: 1,
      },
      speculation: null,
    },
    tag: 'Decoding',
    summary: 'What a request would compute and cost',
    description: 'Formula, views, kernels, forwards per token. Nothing is computed.',
  },
  'GET /v1/decoding/methods': {
    tag: 'Decoding',
    summary: 'Every method and scorer, with parameters, ranges and defaults',
  },
  'GET /v1/decode/ws': {
    tag: 'Decoding',
    summary: 'A websocket for many decodes',
    description:
      'Decodes can be paused, and their weights changed while they run: docs/websocket.md has the messages. Without an upgrade the answer is 426.',
    status: 101,
  },
  'GET /v1/models': {
    tag: 'Models',
    summary: 'Models and deployments',
    reply: {
      object: 'list',
      data: [
        {
          id: 'pocket-eft',
          object: 'model',
          created: 1795691978,
          owned_by: 'trimtab',
          kind: 'deployment',
        },
      ],
    },
  },
  'GET /v1/models/{id}': {
    tag: 'Models',
    summary: 'One model or deployment',
    reply: {
      id: 'pocket-eft',
      object: 'model',
      created: 1795691978,
      owned_by: 'trimtab',
      kind: 'deployment',
    },
    parameters: {
      id: 'Name of a model or deployment; it may hold slashes.',
    },
  },
  'GET /health': {
    tag: 'Status',
    summary: 'The process lives',
    reply: {
      status: 'ok',
      version: '0.1.0',
    },
  },
  'GET /ready': {
    tag: 'Status',
    summary: 'Whether requests are taken',
    reply: {
      status: 'ready',
    },
    description: '503 while models load, while the server drains, and after the engine has failed.',
  },
  'GET /metrics': {
    tag: 'Status',
    summary: 'Prometheus text',
    replyType: 'text/plain',
  },
  'GET /openapi.json': {
    tag: 'Status',
    summary: 'This document',
    replyType: 'application/json',
  },
  'POST /v1/responses/input_tokens': {
    request: { model: 'pocket', input: 'Tar Alley' },
    reply: { object: 'response.input_tokens', input_tokens: 10 },
    tag: 'Tokens',
    summary: 'How many tokens a response would read',
  },
  'GET /v1/responses': {
    tag: 'Answers',
    summary: 'The Responses websocket',
    description:
      'It takes `response.create` messages and answers with the events of the stream. Without an upgrade the answer is 426.',
    status: 101,
  },
  'GET /v1/responses/{id}': {
    tag: 'Answers',
    summary: 'Always 404: responses are not stored',
    parameters: { id: 'Of a response.' },
    status: 404,
  },
  'DELETE /v1/responses/{id}': {
    tag: 'Answers',
    summary: 'Always 404: responses are not stored',
    parameters: { id: 'Of a response.' },
    status: 404,
  },
  'GET /v1/admin/models': {
    tag: 'Administration',
    summary: 'Every configured model and its state',
    description:
      'Needs a key with the scope admin, as all of /v1/admin; on a server without keys these routes answer 403.',
  },
  'POST /v1/admin/models/{id}': {
    tag: 'Administration',
    summary: 'Load a model, or end it and give its memory back',
    description: 'Answers when the change is done. The body may be left out.',
    parameters: { id: 'Name of a model, then /load or /unload.' },
  },
  'POST /v1/admin/reload': {
    tag: 'Administration',
    summary: 'Take the configuration and the key file anew',
    description: 'Whole, or not at all. The body may be left out.',
  },
};
