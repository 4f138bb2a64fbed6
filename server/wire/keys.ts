// What to do with top-level keys that no schema declares: keys that ask for nothing of the model are accepted, keys that ask for
// something this server cannot do are refused by name (unless their value asks for what happens anyway), and the rest are
// listed in a response header, or refused in strict mode.
import { AppError } from '../errors.js';
import { nearest } from '../config/nearest.js';
import { shown, wellFormed } from './shown.js';

type Body = Readonly<Record<string, unknown>>;

const isText = (value: unknown): boolean => typeof value === 'string';
const isObject = (value: unknown): boolean => typeof value === 'object' && value !== null && !Array.isArray(value);
const isMetadata = (value: unknown): boolean =>
  isObject(value) && Object.keys(value as object).length <= 16 && Object.values(value as object).every(isText);

interface Harmless {
  readonly check: (value: unknown) => boolean;
  /** What `check` wants. */
  readonly what: string;
}

/** They concern OpenAI's own service, or speed alone, and change no token: accepted, in strict mode too, and told as ignored. */
const harmless: Readonly<Record<string, Harmless>> = {
  user: { check: isText, what: 'a string' },
  metadata: { check: isMetadata, what: 'an object of up to 16 strings' },
  parallel_tool_calls: { check: (value) => typeof value === 'boolean', what: 'true or false' },
  safety_identifier: { check: isText, what: 'a string' },
  prompt_cache_key: { check: isText, what: 'a string' },
  prompt_cache_retention: { check: isText, what: 'a string' },
  prompt_cache_options: { check: isObject, what: 'an object' },
  prediction: { check: isObject, what: 'an object' },
};

interface Refused {
  readonly accepts: (value: unknown, body: Body) => boolean;
  readonly remedy: string;
}

export type Rules = Readonly<Record<string, Refused>>;

const never = (): boolean => false;
export const only =
  (...values: readonly unknown[]) =>
  (value: unknown): boolean =>
    values.includes(value);
const emptyList = (value: unknown): boolean => Array.isArray(value) && value.length === 0;
const typeText = (value: unknown): boolean => (value as { type?: unknown } | null)?.type === 'text';
const listOfText = (value: unknown): boolean =>
  Array.isArray(value) && value.length > 0 && value.every((item) => item === 'text');

/** A key that is refused whatever it holds. */
export const refuse = (remedy: string): Refused => ({ accepts: never, remedy });

const leaveOut = 'Leave it out.';
const noCode = 'No code is taken from a request: use a method of decoding.';
const noTools = 'Tools belong to /v1/chat/completions and /v1/responses.';
const noFunctions = 'Use tools and tool_choice on /v1/chat/completions.';
const noConstraint = 'Use response_format with a json_schema.';

const refused: Rules = {
  tools: { accepts: emptyList, remedy: noTools },
  tool_choice: { accepts: only('none', 'auto'), remedy: noTools },
  functions: { accepts: emptyList, remedy: noFunctions },
  function_call: { accepts: only('none', 'auto'), remedy: noFunctions },
  response_format: { accepts: typeText, remedy: 'Only {"type": "text"} is available yet.' },
  guided_json: { accepts: never, remedy: noConstraint },
  guided_regex: { accepts: never, remedy: noConstraint },
  guided_choice: { accepts: never, remedy: noConstraint },
  guided_grammar: { accepts: never, remedy: noConstraint },
  structured_outputs: { accepts: never, remedy: noConstraint },
  grammar: { accepts: never, remedy: noConstraint },
  modalities: { accepts: listOfText, remedy: 'Only ["text"] is available.' },
  audio: { accepts: never, remedy: leaveOut },
  store: { accepts: only(false), remedy: 'Nothing is stored here: leave it out or send false.' },
  background: { accepts: only(false), remedy: leaveOut },
  reasoning_effort: { accepts: only('none'), remedy: leaveOut },
  verbosity: { accepts: never, remedy: leaveOut },
  web_search_options: { accepts: never, remedy: leaveOut },
  suffix: { accepts: never, remedy: 'Text is only continued, never filled in: leave it out.' },
  best_of: {
    accepts: (value, body) => value === (body['n'] ?? 1),
    remedy: 'Only /v1/completions has it: use the method best_of_n in decoding.',
  },
  use_beam_search: { accepts: only(false), remedy: leaveOut },
  length_penalty: { accepts: only(1), remedy: leaveOut },
  early_stopping: { accepts: only(false), remedy: leaveOut },
  allowed_token_ids: { accepts: never, remedy: 'Use logit_bias.' },
  bad_words: { accepts: emptyList, remedy: 'Use logit_bias.' },
  prompt_logprobs: { accepts: never, remedy: 'Use "echo": true with logprobs on /v1/completions.' },
  prompt_embeds: { accepts: never, remedy: 'Prompts are text or token ids.' },
  logits_processors: { accepts: never, remedy: noCode },
  custom_logit_processor: { accepts: never, remedy: noCode },
  custom_params: { accepts: never, remedy: noCode },
  cache_salt: { accepts: never, remedy: 'Prefixes are shared by all clients, or by none (limits.prefixCacheBytes).' },
  truncate_prompt_tokens: { accepts: never, remedy: 'Shorten the prompt.' },
  skip_special_tokens: { accepts: only(true), remedy: 'Use return_token_ids to see special tokens.' },
  spaces_between_special_tokens: { accepts: only(true), remedy: leaveOut },
  chat_template: { accepts: never, remedy: "Templates come from the model's folder only." },
  chat_template_kwargs: { accepts: never, remedy: leaveOut },
  documents: { accepts: emptyList, remedy: 'Put documents into a message.' },
  typical_p: { accepts: only(1), remedy: leaveOut },
  grammar_backend: { accepts: never, remedy: leaveOut },
};

const own = (rules: Rules, key: string): Refused | undefined => (Object.hasOwn(rules, key) ? rules[key] : undefined);

/**
 * Returns the keys that were ignored. Throws not_supported for a control that cannot be applied and, when `strict`,
 * unknown_key for a key that nothing here knows. `rules` are the route's own and come before those of all routes.
 */
export function checkKeys(
  body: Body,
  declared: readonly string[],
  strict: boolean,
  rules: Rules = {},
): readonly string[] {
  const ignored: string[] = [];
  for (const key of Object.keys(body)) {
    if (declared.includes(key)) continue;
    const known = Object.hasOwn(harmless, key) ? harmless[key] : undefined;
    if (known !== undefined) {
      if (!known.check(body[key])) throw wrongType(key, body[key], known.what);
      ignored.push(key);
      continue;
    }
    const rule = own(rules, key) ?? own(refused, key);
    if (rule === undefined) {
      if (strict) throw unknownKey(key, declared);
      ignored.push(key);
    } else if (!rule.accepts(body[key], body)) {
      throw new AppError('not_supported', { param: key, value: shown(body[key]), remedy: rule.remedy });
    }
  }
  return ignored;
}

function wrongType(param: string, value: unknown, what: string): AppError {
  return new AppError('invalid_value', {
    param,
    problem: 'is of the wrong type',
    value: shown(value),
    remedy: `Send ${what}.`,
  });
}

function unknownKey(key: string, declared: readonly string[]): AppError {
  const near = nearest(key, declared);
  return new AppError('unknown_key', {
    param: shown(key, 64).slice(1, -1),
    key: shown(key, 64),
    where: 'the body',
    nearest: near === null ? '' : ` Did you mean ${near}?`,
    known: [...declared].sort().join(', '),
  });
}

/** A header value that any key, however odd, can stand in. */
export function ignoredHeader(keys: readonly string[]): string {
  const listed = keys.slice(0, 16).map((key) => encodeURIComponent(wellFormed(key.slice(0, 64))));
  return keys.length > listed.length ? `${listed.join(',')},...` : listed.join(',');
}
