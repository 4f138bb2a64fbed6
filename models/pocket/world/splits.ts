// Whether a prompt that models are measured by occurs in text that they learn from. It looks for prompts as whole lines, turns, or
// sentences of training text, wherever they stand: after "Question: ", in a judgement, or with something said after them.
import { createReadStream, existsSync, readdirSync } from 'node:fs';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import type { Part } from './part.js';

export interface Leak {
  readonly task: string;
  readonly prompt: string;
  readonly document: string;
}

export class PromptFinder {
  /** Prompts by their first characters: a document is looked up at each place where a prompt could begin. */
  private readonly byHead = new Map<string, { readonly id: string; readonly prompt: string }[]>();
  private headLength = 16;

  constructor(parts: readonly Part[]) {
    const prompts = parts.flatMap(({ tasks }) =>
      tasks.map(({ id, messages }) => ({ id, prompt: messages.at(-1)?.content ?? '' })),
    );
    for (const { id, prompt } of prompts) {
      if (prompt.length < 8)
        throw new RangeError(`task ${id} asks "${prompt}": too short to be told apart in training text`);
      this.headLength = Math.min(this.headLength, prompt.length);
    }
    for (const entry of prompts) {
      const head = entry.prompt.slice(0, this.headLength);
      const same = this.byHead.get(head);
      if (same === undefined) this.byHead.set(head, [entry]);
      else same.push(entry);
    }
  }

  /** The first task whose prompt occurs in the document, or null. */
  find(document: string): Leak | null {
    for (const match of document.matchAll(/^|(?<=[\n:"]\s*)\S|(?<=\s)[A-Z]/g)) {
      const from = match.index;
      for (const { id, prompt } of this.byHead.get(document.slice(from, from + this.headLength)) ?? []) {
        if (document.startsWith(prompt, from) && endsThere(document, from + prompt.length, prompt)) {
          return { task: id, prompt, document };
        }
      }
    }
    return null;
  }
}

/** "12 + 3" does not occur in "12 + 34": a prompt must end where a line, the text or a sentence does. */
function endsThere(document: string, at: number, prompt: string): boolean {
  const next = document.charAt(at);
  return next === '' || next === '\n' || next === '"' || (/[.?!:]$/.test(prompt) && next === ' ');
}

/** The texts of one line of a training file: a page, the turns of a conversation, or those of a preference. */
export function trainingTexts(line: unknown): string[] {
  if (typeof line === 'string') return [line];
  if (Array.isArray(line)) return line.flatMap(trainingTexts);
  if (typeof line !== 'object' || line === null) return [];
  return Object.values(line).flatMap(trainingTexts);
}

/** Every training document under `build`, as write.ts wrote it and the recipe reads it. */
export async function* trainingDocuments(build: string): AsyncGenerator<{ file: string; texts: string[] }> {
  const files = ['pages', 'chats'].flatMap((folder) =>
    existsSync(join(build, folder)) ? readdirSync(join(build, folder)).map((file) => join(build, folder, file)) : [],
  );
  if (files.length === 0) throw new Error(`${build} holds no training text; run main.js first`);
  files.push(...readdirSync(build).flatMap((file) => (file.endsWith('.jsonl') ? [join(build, file)] : [])));
  for (const file of files) {
    for await (const line of createInterface({ input: createReadStream(file) })) {
      yield { file, texts: trainingTexts(JSON.parse(line)) };
    }
  }
}
