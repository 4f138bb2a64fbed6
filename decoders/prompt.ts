// Which prompt a view reads. A variant is written into the view's `prompt` key as canonical JSON, so that two views with the same model and
// the same variant are one view and one forward. Called by spec.ts, which reads variants, and by the routes, which turn them into ids.
// Knows no template and no tokenizer.
import { DEFAULT_PROMPT, rewrite } from './expr.js';
import type { Scores } from './expr.js';
import { nearestName, SpecError } from './fields.js';
import type { Field, Json } from './fields.js';

export interface PromptMessage {
  readonly role: 'system' | 'user' | 'assistant';
  readonly content: string;
}

/** How the pictures of a prompt are seen. */
export type Look =
  /** By another projection than the checkpoint's own. */
  | { readonly kind: 'projection'; readonly name: string }
  /** After so many of the 1000 steps of diffusion noise. */
  | { readonly kind: 'noise'; readonly step: number }
  /** Not at all: the prompt's text alone. */
  | { readonly kind: 'none' };

export type PromptVariant =
  /** The request's own prompt. */
  | { readonly kind: 'own' }
  /** Only the last token of the request's own prompt: what guidance calls unconditional. */
  | { readonly kind: 'lastToken' }
  /** The request's messages with this system turn in place of theirs; null: without any. */
  | { readonly kind: 'system'; readonly text: string | null }
  /** This text instead, through no template. */
  | { readonly kind: 'text'; readonly text: string }
  /** These messages instead, through the model's template. */
  | { readonly kind: 'messages'; readonly messages: readonly PromptMessage[] }
  /** The request's own prompt, its pictures seen in another way. */
  | { readonly kind: 'images'; readonly look: Look };

const MAX_CHARACTERS = 100_000;
const MAX_MESSAGES = 64;
const LAST_TOKEN = 'last_token';
const SHAPES = `Use "${LAST_TOKEN}", {"system": "text"}, {"system": null}, {"text": "…"}, {"messages": […]} or {"images": …}.`;
const LOOKS = 'Use {"projection": "name"}, {"noise": step} or null.';
/** Of the forward process that makes a picture noise. */
export const NOISE_STEPS = 1000;
const roles = ['system', 'user', 'assistant'] as const;

/** The key of a view that reads this variant: equal for equal variants. */
export function promptKey(variant: PromptVariant): string {
  return variant.kind === 'own' ? DEFAULT_PROMPT : JSON.stringify(writePrompt(variant));
}

/** The inverse of `promptKey`. */
export function promptOf(key: string): PromptVariant {
  return key === DEFAULT_PROMPT ? { kind: 'own' } : readPrompt(JSON.parse(key), 'prompt');
}

/** For formulas: `large[no system]`. */
export function describePrompt(variant: PromptVariant): string {
  switch (variant.kind) {
    case 'own':
      return '';
    case 'lastToken':
      return 'last token';
    case 'system':
      return variant.text === null ? 'no system' : `system ${quoted(variant.text)}`;
    case 'text':
      return `text ${quoted(variant.text)}`;
    case 'messages':
      return `messages ${quoted(variant.messages.map(({ content }) => content).join(' '))}`;
    case 'images':
      return describeLook(variant.look);
    default:
      return variant satisfies never;
  }
}

function describeLook(look: Look): string {
  switch (look.kind) {
    case 'projection':
      return look.name;
    case 'noise':
      return `noise ${look.step}`;
    case 'none':
      return 'no images';
    default:
      return look satisfies never;
  }
}

/** The same distribution with another prompt, in every view that has not one of its own. */
export function withPrompt(scores: Scores, variant: PromptVariant): Scores {
  const prompt = promptKey(variant);
  return rewrite(scores, {
    logits: (node) =>
      node.kind === 'logits' && node.view.prompt === DEFAULT_PROMPT
        ? { kind: 'logits', view: { model: node.view.model, prompt } }
        : node,
    logprobs: (node) => node,
    mask: (node) => node,
  });
}

/** As a request writes it. */
export function writePrompt(variant: PromptVariant): Json {
  switch (variant.kind) {
    case 'own':
      return null;
    case 'lastToken':
      return LAST_TOKEN;
    case 'system':
      return { system: variant.text };
    case 'text':
      return { text: variant.text };
    case 'messages':
      return { messages: variant.messages.map(({ role, content }) => ({ role, content })) };
    case 'images':
      return { images: writeLook(variant.look) };
    default:
      return variant satisfies never;
  }
}

export function readPrompt(value: unknown, path: string): PromptVariant {
  if (value === LAST_TOKEN) return { kind: 'lastToken' };
  if (typeof value !== 'object' || value === null || Array.isArray(value))
    throw new SpecError(path, 'wrong type', value, SHAPES);
  const entries = Object.entries(value) as [string, unknown][];
  const [entry] = entries;
  if (entry === undefined || entries.length > 1)
    throw new SpecError(path, 'out of range', value, `A prompt has exactly one key. ${SHAPES}`);
  const [key, inner] = entry;
  switch (key) {
    case 'system':
      return { kind: 'system', text: inner === null ? null : readText(inner, `${path}.system`) };
    case 'text':
      return { kind: 'text', text: readText(inner, `${path}.text`) };
    case 'messages':
      return { kind: 'messages', messages: readMessages(inner, `${path}.messages`) };
    case 'images':
      return { kind: 'images', look: readLook(inner, `${path}.images`) };
    default: {
      const known = ['system', 'text', 'messages', 'images'];
      throw new SpecError(`${path}.${key}`, 'unknown key', key, SHAPES, { known, nearest: nearestName(key, known) });
    }
  }
}

function writeLook(look: Look): Json {
  switch (look.kind) {
    case 'projection':
      return { projection: look.name };
    case 'noise':
      return { noise: look.step };
    case 'none':
      return null;
    default:
      return look satisfies never;
  }
}

function readLook(value: unknown, path: string): Look {
  if (value === null) return { kind: 'none' };
  if (typeof value !== 'object' || Array.isArray(value)) throw new SpecError(path, 'wrong type', value, LOOKS);
  const [entry, extra] = Object.entries(value) as [string, unknown][];
  if (entry === undefined || extra !== undefined) throw new SpecError(path, 'out of range', value, LOOKS);
  const [key, inner] = entry;
  if (key === 'projection') return { kind: 'projection', name: readText(inner, `${path}.projection`) };
  if (key !== 'noise') {
    const known = ['projection', 'noise'];
    throw new SpecError(`${path}.${key}`, 'unknown key', key, LOOKS, { known, nearest: nearestName(key, known) });
  }
  if (typeof inner === 'number' && Number.isInteger(inner) && inner >= 0 && inner < NOISE_STEPS)
    return { kind: 'noise', step: inner };
  throw new SpecError(`${path}.noise`, 'out of range', inner, `Use a whole number from 0 to ${NOISE_STEPS - 1}.`);
}

/** A field that holds a prompt. */
export function prompt(help: string, fallback: PromptVariant): Field<PromptVariant> {
  return {
    type: 'prompt',
    help,
    range: `"${LAST_TOKEN}" | {"system": text or null} | {"text": text} | {"messages": list} | {"images": {"projection": name} | {"noise": step} | null}`,
    fallback,
    read: (value, path) => readPrompt(value, path),
    show: writePrompt,
  };
}

function readMessages(value: unknown, path: string): PromptMessage[] {
  if (!Array.isArray(value) || value.length === 0 || value.length > MAX_MESSAGES)
    throw new SpecError(path, 'wrong type', value, `Use a list of 1 to ${MAX_MESSAGES} messages.`);
  return value.map((message: unknown, index) => {
    const at = `${path}[${index}]`;
    if (typeof message !== 'object' || message === null)
      throw new SpecError(at, 'wrong type', message, 'Use {"role": "user", "content": "…"}.');
    const { role: given, content, ...others }: { role?: unknown; content?: unknown } = message;
    const [extra] = Object.keys(others);
    if (extra !== undefined)
      throw new SpecError(`${at}.${extra}`, 'unknown key', extra, 'A message has "role" and "content".', {
        known: ['role', 'content'],
      });
    const role = roles.find((known) => known === given);
    if (role === undefined)
      throw new SpecError(`${at}.role`, 'out of range', given, `Use one of ${roles.join(', ')}.`, { known: roles });
    return { role, content: readText(content, `${at}.content`) };
  });
}

function readText(value: unknown, path: string): string {
  if (typeof value !== 'string') throw new SpecError(path, 'wrong type', value, 'Use a text.');
  if (value.length === 0) throw new SpecError(path, 'out of range', value, 'Give at least one character.');
  if (value.length > MAX_CHARACTERS)
    throw new SpecError(path, 'too large', value.length, `Use at most ${MAX_CHARACTERS} characters.`);
  return value;
}

function quoted(text: string): string {
  return JSON.stringify(text.length > 24 ? `${text.slice(0, 23)}…` : text);
}
