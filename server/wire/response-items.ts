// What the output of a response is made of: messages and calls of functions, as they grow and as they are shown. Knows no events; owned by
// responses-reply.ts.
import { randomUUID } from 'node:crypto';
import type { TokenRecord } from './decode.js';
import { chatLogprobs, type ChatLogprobs } from './logprobs.js';
import type { SpokenEvent } from './tool-calls.js';

export type Status = 'in_progress' | 'completed' | 'incomplete' | 'failed';

export type Item = MessageItem | CallItem;

const newId = (prefix: string): string => prefix + randomUUID().replaceAll('-', '');

/** What is told of a message's tokens. */
interface Telling {
  readonly logprobs: boolean;
  readonly tokenIds: boolean;
}

interface Part {
  readonly text: string;
  readonly logprobs: ChatLogprobs['content'];
}

export class MessageItem {
  readonly id = newId('msg_');
  readonly #telling: Telling;
  #text = '';
  readonly #ids: number[] = [];
  readonly #tokens: TokenRecord[] = [];

  constructor(telling: Telling) {
    this.#telling = telling;
  }

  add(text: string, ids: readonly number[], tokens: readonly TokenRecord[]): void {
    this.#text += text;
    if (this.#telling.tokenIds) this.#ids.push(...ids);
    if (this.#telling.logprobs) this.#tokens.push(...tokens);
  }

  part(): Part {
    return {
      ...{ type: 'output_text', text: this.#text, annotations: [] },
      logprobs: contentLogprobs(this.#tokens),
      ...(this.#telling.tokenIds ? { token_ids: this.#ids } : {}),
    };
  }

  begun(): object {
    return this.#shown('in_progress', []);
  }

  shown(status: Status): object {
    return this.#shown(status, [this.part()]);
  }

  #shown(status: Status, content: readonly object[]): object {
    return { id: this.id, type: 'message', status, role: 'assistant', content };
  }
}

export class CallItem {
  readonly id = newId('fc_');
  readonly name: string;
  readonly #callId: string;
  #given = '';

  constructor({ id, name }: Extract<SpokenEvent, { kind: 'call' }>) {
    this.#callId = id;
    this.name = name;
  }

  /** Its arguments so far, as the model wrote them. */
  get given(): string {
    return this.#given;
  }

  add(text: string): void {
    this.#given += text;
  }

  begun(): object {
    return this.shown('in_progress');
  }

  shown(status: Status): object {
    const { id, name, given } = this;
    return { id, type: 'function_call', status, call_id: this.#callId, name, arguments: given };
  }
}

export const contentLogprobs = (tokens: readonly TokenRecord[]): ChatLogprobs['content'] =>
  chatLogprobs(tokens).content;
