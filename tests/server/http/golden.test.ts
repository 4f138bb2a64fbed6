// Golden transcripts: the bytes of each kind of stream and body, after normalising id, creation time and fingerprint.
import { afterEach, expect, test } from 'vitest';
import { AppError } from '../../../server/errors.js';
import {
  chat,
  completion,
  eos,
  harness,
  hello,
  normalised,
  response,
  says,
  type Harness,
  type Script,
} from './support.js';

let running: Harness | null = null;
afterEach(async () => {
  await running?.app.close();
  running = null;
});

async function transcript(script: Script, path: string, payload: object): Promise<string> {
  running = await harness(script);
  const response = await running.app.inject({ method: 'POST', url: path, payload });
  expect(response.statusCode).toBe(200);
  expect(response.headers['content-type']).toBe(
    (payload as { stream?: boolean }).stream === true
      ? 'text/event-stream; charset=utf-8'
      : 'application/json; charset=utf-8',
  );
  return normalised(response.body);
}

const two = says({
  pieces: [
    { choice: 1, text: 'B' },
    { choice: 0, text: 'A' },
    { choice: 1, text: 'b' },
  ],
  reason: 'length',
});

const breaks: Script = async function* () {
  yield { kind: 'delta', choice: 0, text: 'He', ids: [72, 101], tokens: [] };
  yield { kind: 'failed', error: new AppError('nan_logits', { model: 'bytes', position: 3 }).data };
};

/** Something said, two calls, and what came after them. */
const calls = says({
  pieces: ['So: ', '<tool', '_call>{"name": "find", "argu', 'ments": {"at": "Os', 'lo"}}</tool_call><tool_', 'call>']
    .concat(['{"name": "stop", "arguments": {}}</tool_call>', ' and that'])
    .map((text) => ({ text })),
});
const functions = ['find', 'stop'].map((name) => ({ name, description: `to ${name}`, parameters: { type: 'object' } }));
const tools = functions.map((each) => ({ type: 'function', function: each }));
const flatTools = functions.map((each) => ({ type: 'function', ...each, strict: false }));

const chatPath = '/v1/chat/completions';
const textPath = '/v1/completions';
const responsesPath = '/v1/responses';

const cases: Record<string, readonly [Script, string, object]> = {
  'chat-stream': [hello, chatPath, chat({ stream: true })],
  'chat-stream-usage': [hello, chatPath, chat({ stream: true, stream_options: { include_usage: true } })],
  'chat-stream-n2-length': [two, chatPath, chat({ stream: true, n: 2 })],
  'chat-stream-stop': [
    says({ pieces: [{ text: 'ab' }], stopReason: 'STOP' }),
    chatPath,
    chat({ stream: true, stop: ['STOP'] }),
  ],
  'chat-stream-logprobs': [hello, chatPath, chat({ stream: true, logprobs: true, top_logprobs: 2 })],
  'chat-stream-token-ids': [hello, chatPath, chat({ stream: true, return_token_ids: true })],
  'chat-stream-tier': [hello, chatPath, chat({ stream: true, service_tier: 'flex' })],
  'chat-stream-error': [breaks, chatPath, chat({ stream: true })],
  'chat-stream-eft': [hello, chatPath, chat({ stream: true, model: 'steered' })],
  'chat-stream-tools': [calls, chatPath, chat({ stream: true, tools })],
  'chat-body-tools': [calls, chatPath, chat({ tools })],
  'chat-body': [hello, chatPath, chat()],
  'chat-body-logprobs': [hello, chatPath, chat({ logprobs: true, top_logprobs: 1 })],
  'chat-body-n2': [two, chatPath, chat({ n: 2 })],
  'completion-stream': [hello, textPath, completion({ stream: true, stream_options: { include_usage: true } })],
  'completion-stream-echo-logprobs': [hello, textPath, completion({ stream: true, echo: true, logprobs: 2 })],
  'completion-stream-echo': [hello, textPath, completion({ stream: true, echo: true })],
  'completion-stream-list': [two, textPath, completion({ stream: true, prompt: ['x', 'yz'], n: 2 })],
  'completion-stream-logprobs': [hello, textPath, completion({ stream: true, logprobs: 1 })],
  'completion-stream-ids': [
    hello,
    textPath,
    completion({ stream: true, prompt: [[104, 105]], return_token_ids: true }),
  ],
  'completion-stream-ids-empty': [
    says({ pieces: [], stopReason: eos }),
    textPath,
    completion({ stream: true, prompt: [[104, 105]], return_token_ids: true }),
  ],
  'completion-stream-error': [breaks, textPath, completion({ stream: true })],
  'completion-body': [hello, textPath, completion()],
  'completion-body-echo-logprobs': [hello, textPath, completion({ echo: true, logprobs: 1 })],
  'completion-body-list': [hello, textPath, completion({ prompt: ['x', 'yz'] })],
  'completion-body-ids': [
    hello,
    textPath,
    completion({ prompt: [[104, 105], [33]], return_token_ids: true, echo: true }),
  ],
  'completion-body-special': [
    says({
      pieces: [
        { text: 'é!', ids: [0xc3, 0xa9, 33] },
        { text: '', ids: [eos] },
      ],
      stopReason: eos,
    }),
    textPath,
    completion({ logprobs: 0, stop_token_ids: [eos] }),
  ],
  'completion-body-named-end': [
    says({ pieces: [{ text: 'a' }], stopReason: eos }),
    textPath,
    completion({ ignore_eos: true, stop_token_ids: [eos] }),
  ],
  'completion-stream-named-end': [
    says({ pieces: [{ text: 'a' }], stopReason: eos }),
    textPath,
    completion({ stream: true, ignore_eos: true, stop_token_ids: [eos] }),
  ],
  'completion-body-echo-only': [
    says({ pieces: [], reason: 'length' }),
    textPath,
    completion({ echo: true, max_tokens: 0, logprobs: 0 }),
  ],
  'response-stream': [hello, responsesPath, response({ stream: true, metadata: { a: 'b' }, instructions: 'be brief' })],
  'response-stream-length': [
    says({ pieces: [{ text: 'A' }], reason: 'length' }),
    responsesPath,
    response({ stream: true }),
  ],
  'response-stream-empty': [says({ pieces: [] }), responsesPath, response({ stream: true })],
  'response-stream-logprobs': [hello, responsesPath, response({ stream: true, top_logprobs: 1 })],
  'response-stream-error': [breaks, responsesPath, response({ stream: true })],
  'response-stream-tools': [calls, responsesPath, response({ stream: true, tools: flatTools })],
  'response-body-tools': [calls, responsesPath, response({ tools: flatTools })],
  'response-body': [hello, responsesPath, response()],
  'response-body-length-logprobs': [
    says({ pieces: [{ text: 'A' }], reason: 'length' }),
    responsesPath,
    response({ max_output_tokens: 1, include: ['message.output_text.logprobs'], return_token_ids: true }),
  ],
};

for (const [name, [script, path, payload]] of Object.entries(cases)) {
  test(name, async () => {
    await expect(await transcript(script, path, payload)).toMatchFileSnapshot(`golden/${name}.txt`);
  });
}
