// What a client may say on /v1/decode/ws: a parsed message becomes one of five frames, or is refused with what was wrong and what the remedy
// is. Unknown keys are refused, nothing is coerced. Knows no decode.
import type { JsonObject } from '../../decoders/spec.js';
import { AppError } from '../errors.js';
import type { Grant } from './decode.js';
import { shown } from './shown.js';

/** Chosen by the client, told again in the answer. */
export type Ref = string | number;

export type ClientFrame =
  | {
      readonly type: 'start';
      readonly id: string;
      readonly body: Readonly<Record<string, unknown>>;
      /** Null: no bound. */
      readonly credit: number | null;
      readonly notices: boolean;
    }
  | { readonly type: 'cancel'; readonly id: string }
  | { readonly type: 'credit'; readonly id: string; readonly grant: Exclude<Grant, { kind: 'hold' }> }
  | { readonly type: 'update'; readonly id: string; readonly decoding: JsonObject; readonly ref: Ref | null }
  | { readonly type: 'ping'; readonly ref: Ref | null };

export type FrameType = ClientFrame['type'];

/** Which message an error answers, as far as that can be told. */
export interface FrameContext {
  readonly id: string | null;
  readonly ref: Ref | null;
  readonly request: FrameType | null;
}

type Message = Readonly<Record<string, unknown>>;

const keysOf: Readonly<Record<FrameType, readonly string[]>> = {
  start: ['type', 'id', 'body', 'credit', 'notices'],
  cancel: ['type', 'id'],
  credit: ['type', 'id', 'add', 'set'],
  update: ['type', 'id', 'decoding', 'ref'],
  ping: ['type', 'ref'],
};
const types = Object.keys(keysOf).join(', ');

const idPattern = /^[\w.:-]{1,64}$/;
const longestRef = 64;
const mostTokens = 2 ** 31 - 1;

const refused = (param: string | null, reason: string): AppError => new AppError('invalid_frame', { param, reason });

const isObject = (value: unknown): value is Message =>
  typeof value === 'object' && value !== null && !Array.isArray(value);

const isType = (value: unknown): value is FrameType => typeof value === 'string' && Object.hasOwn(keysOf, value);
const isId = (value: unknown): value is string => typeof value === 'string' && idPattern.test(value);
const isRef = (value: unknown): value is Ref =>
  Number.isFinite(value) || (typeof value === 'string' && value.length <= longestRef);

export function contextOf(message: unknown): FrameContext {
  if (!isObject(message)) return { id: null, ref: null, request: null };
  const { id, ref, type } = message;
  return { id: isId(id) ? id : null, ref: isRef(ref) ? ref : null, request: isType(type) ? type : null };
}

/** Throws invalid_frame. */
export function readFrame(message: unknown): ClientFrame {
  if (!isObject(message)) throw refused(null, `it is ${shown(message, 40)}, not an object`);
  const { type } = message;
  if (!isType(type)) {
    throw refused(
      'type',
      type === undefined ? `it has no type (${types})` : `the type ${shown(type)} is none of ${types}`,
    );
  }
  const known = keysOf[type];
  const unknown = Object.keys(message).find((key) => !known.includes(key));
  if (unknown !== undefined)
    throw refused(unknown.slice(0, 64), `${shown(unknown)} is none of the keys of ${type}: ${known.join(', ')}`);
  switch (type) {
    case 'start':
      return { type, id: id(message), body: body(message), credit: credit(message), notices: notices(message) };
    case 'cancel':
      return { type, id: id(message) };
    case 'credit':
      return { type, id: id(message), grant: grant(message) };
    case 'update':
      return { type, id: id(message), decoding: decoding(message), ref: ref(message) };
    case 'ping':
      return { type, ref: ref(message) };
    default:
      return type satisfies never;
  }
}

function id({ id: given }: Message): string {
  if (isId(given)) return given;
  throw refused('id', `id must be 1 to 64 letters, digits, _ . : - (got ${shown(given)})`);
}

function ref({ ref: given }: Message): Ref | null {
  if (given === undefined || given === null) return null;
  if (isRef(given)) return given;
  throw refused('ref', `ref must be a number or a string of up to ${longestRef} characters (got ${shown(given)})`);
}

function body({ body: given }: Message): Message {
  if (isObject(given)) return given;
  throw refused('body', `body must be the object of a chat or a completions request (got ${shown(given)})`);
}

function decoding({ decoding: given }: Message): JsonObject {
  // It came out of a JSON parser.
  if (isObject(given)) return given as JsonObject;
  throw refused(
    'decoding',
    `decoding must be an object with what is to change, e.g. {"weight": 0.3} (got ${shown(given)})`,
  );
}

function notices({ notices: given }: Message): boolean {
  if (given === undefined || typeof given === 'boolean') return given ?? true;
  throw refused('notices', `notices must be true or false (got ${shown(given)})`);
}

function credit({ credit: given }: Message): number | null {
  return given === undefined || given === null ? null : tokens('credit', given);
}

function grant({ add, set }: Message): Exclude<Grant, { kind: 'hold' }> {
  if ((add === undefined) === (set === undefined)) throw refused('add', 'it needs one of add and set, not both');
  if (add !== undefined) return { kind: 'add', tokens: tokens('add', add) };
  return { kind: 'set', tokens: set === null ? null : tokens('set', set) };
}

function tokens(param: string, given: unknown): number {
  if (typeof given === 'number' && Number.isInteger(given) && given >= 0 && given <= mostTokens) return given;
  throw refused(param, `${param} must be a whole number of tokens from 0 to ${mostTokens} (got ${shown(given)})`);
}
