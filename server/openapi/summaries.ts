// What each route is, in the words of the OpenAPI document: a table by tag, then by method and path. A route without an entry fails a test.
// Read by operations.ts.
import type { Operation, Summary } from './operation.js';

const unstored: Summary = {
  summary: 'Always 404: responses are not stored',
  parameters: { id: 'Of a response.' },
  status: 404,
};

export const summaries = {
  Answers: {
    'POST /v1/chat/completions': {
      summary: 'Answer a chat',
      description:
        'OpenAI chat completions. `decoding` selects or turns the method; with `stream` the answer comes as server-sent events, ended by `data: [DONE]`.',
      streams: true,
    },
    'POST /v1/completions': {
      summary: 'Continue a text',
      description: 'OpenAI completions: a text, a list of texts, token ids or lists of ids.',
      streams: true,
    },
    'POST /v1/responses': {
      summary: 'Answer in the Responses dialect',
      description:
        "OpenAI's Responses without its store: `previous_response_id` is refused. Upgraded to a websocket, the same path takes `response.create` messages.",
      streams: true,
    },
    'GET /v1/responses': {
      summary: 'The Responses websocket',
      description:
        'It takes `response.create` messages and answers with the events of the stream. Without an upgrade the answer is 426.',
      status: 101,
    },
    'GET /v1/responses/{id}': unstored,
    'DELETE /v1/responses/{id}': unstored,
  },
  Models: {
    'GET /v1/models': { summary: 'Models and deployments' },
    'GET /v1/models/{id}': {
      summary: 'One model or deployment',
      parameters: { id: 'Name of a model or deployment; it may hold slashes.' },
    },
  },
  Decoding: {
    'POST /v1/decoding/explain': {
      summary: 'What a request would compute and cost',
      description: 'Formula, views, kernels, forwards per token. Nothing is computed.',
    },
    'GET /v1/decoding/methods': { summary: 'Every method and scorer, with parameters, ranges and defaults' },
    'GET /v1/decode/ws': {
      summary: 'A websocket for many decodes',
      description:
        'Decodes can be paused, and their weights changed while they run: docs/websocket.md has the messages. Without an upgrade the answer is 426.',
      status: 101,
    },
  },
  Tokens: {
    'POST /v1/chat/completions/render': {
      summary: 'What each member would read of a chat',
      description: 'Chat template and tokenizer only: nothing is computed.',
    },
    'POST /v1/embeddings': {
      summary: 'Texts as vectors',
      description: 'The hidden states of one model, pooled as the operator has configured it.',
    },
    'POST /tokenize': { summary: 'Text or chat to token ids' },
    'POST /detokenize': { summary: 'Token ids to text' },
    'POST /v1/responses/input_tokens': { summary: 'How many tokens a response would read' },
  },
  Status: {
    'GET /health': { summary: 'The process lives' },
    'GET /ready': {
      summary: 'Whether requests are taken',
      description: '503 while models load, while the server drains, and after the engine has failed.',
    },
    'GET /metrics': {
      summary: 'Prometheus text',
      replyType: 'text/plain',
    },
    'GET /openapi.json': {
      summary: 'This document',
      replyType: 'application/json',
    },
  },
  Administration: {
    'GET /v1/admin/models': {
      summary: 'Every configured model and its state',
      description:
        'Needs a key with the scope admin, as all of /v1/admin; on a server without keys these routes answer 403.',
    },
    'POST /v1/admin/models/{id}': {
      summary: 'Load a model, or end it and give its memory back',
      description: 'Answers when the change is done. The body may be left out.',
      parameters: { id: 'Name of a model, then /load or /unload.' },
    },
    'POST /v1/admin/reload': {
      summary: 'Take the configuration and the key file anew',
      description: 'Whole, or not at all. The body may be left out.',
    },
  },
} as const satisfies Record<Operation['tag'], Record<string, Summary>>;

type Tables = typeof summaries;
/** Method and path. */
export type Route = { [Tag in keyof Tables]: keyof Tables[Tag] }[keyof Tables];
