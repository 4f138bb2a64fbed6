// The keys that clients may show, from the configuration (hashes), a file and the environment. A key is hashed here and forgotten: nothing
// later knows it, and no message shows one. Called by config.ts only.
import { createHash } from 'node:crypto';
import { readFileSync } from 'node:fs';
import { resolve } from 'node:path';
import { Value } from 'typebox/value';
import { AppError } from '../errors.js';
import { shown } from '../wire/shown.js';
import { fillDefaults } from './defaults.js';
import { firstProblem } from './problems.js';
import { KeyFile, type AuthSettings, type KeyEntry } from './schema/auth.js';

export type Scope = KeyEntry['scopes'][number];

export interface ApiKey {
  /** Unique; stands in logs where the key must not. */
  readonly name: string;
  /** 64 hexadecimal digits. */
  readonly sha256: string;
  readonly scopes: readonly Scope[];
  /** From this moment on it is no key any more (Unix ms); null: never. */
  readonly expiresMs: number | null;
  readonly requestsPerMinute: number | null;
  readonly tokensPerMinute: number | null;
  readonly tokensPerDay: number | null;
  /** The lowest number, which is the most urgent, that it may ask for. */
  readonly priority: number;
}

/** Of a key that nothing bounds. */
export const unbounded = {
  expiresMs: null,
  requestsPerMinute: null,
  tokensPerMinute: null,
  tokensPerDay: null,
  priority: 0,
} as const;

const howToHash = `Make the hash with: printf %s "$KEY" | sha256sum`;
const howToMake = 'Make a key with: openssl rand -hex 32';

/** Visible ASCII: what a header may hold. No comma, which separates keys. */
const keyPattern = /^[\x21-\x2b\x2d-\x7e]{8,512}$/;
const hashPattern = /^[0-9a-f]{64}$/;
const keyNames: readonly string[] = ['key', 'apiKey', 'api_key', 'value', 'secret', 'token', 'password'];

const isObject = (value: unknown): value is Readonly<Record<string, unknown>> =>
  typeof value === 'object' && value !== null && !Array.isArray(value);

const sha256 = (key: string): string => createHash('sha256').update(key).digest('hex');

/** `value`: where it is no part of a key. */
function fault(
  path: string,
  key: string,
  problem: string,
  remedy: string,
  value = 'a value that is not shown',
): AppError {
  return new AppError('config_invalid', { path, key, problem, value, remedy });
}

/**
 * Before the schema is checked, whose messages show the offending value: nothing that could be a plain key stands where hashes belong.
 */
export function refusePlainKeys(path: string, document: unknown): void {
  const auth = isObject(document) ? document['auth'] : undefined;
  if (auth === undefined) return;
  if (!isObject(auth)) throw fault(path, 'auth', 'it must be an object', 'Write {"keys": […]} or {"keyFile": "…"}.');
  checkEntries(path, 'auth.keys', auth['keys'] ?? []);
}

function checkEntries(path: string, at: string, entries: unknown): void {
  const example = `Write [{"name": "alice", "sha256": "…"}]. ${howToHash}`;
  if (!Array.isArray(entries)) throw fault(path, at, 'it must be a list', example);
  entries.forEach((entry: unknown, index) => {
    const here = `${at}.${index}`;
    if (!isObject(entry)) throw fault(path, here, 'it must be an object', example);
    const plain = keyNames.find((name) => Object.hasOwn(entry, name));
    if (plain !== undefined) {
      const problem = 'a key must not stand here, only its SHA-256 hash under sha256';
      throw fault(
        path,
        `${here}.${plain}`,
        problem,
        `${howToHash} and make a new key: this one has been written down.`,
      );
    }
    const hash = entry['sha256'];
    if (hash !== undefined && (typeof hash !== 'string' || !hashPattern.test(hash))) {
      throw fault(path, `${here}.sha256`, 'it must be 64 lower-case hexadecimal digits', howToHash);
    }
  });
}

/** Every key from everywhere; each once, by name and by hash. */
export function readKeys(
  path: string,
  auth: AuthSettings,
  base: string,
  environment: Readonly<Record<string, string | undefined>>,
): readonly ApiKey[] {
  const named = environment['TRIMTAB_KEY_FILE'];
  const file = named !== undefined && named !== '' ? resolve(named) : auth.keyFile && resolve(base, auth.keyFile);
  const found = [
    ...auth.keys.map((entry, index) => ({ entry, source: path, at: `auth.keys.${index}` })),
    ...(file === null ? [] : fromFile(file)),
    ...fromEnvironment(environment, 'TRIMTAB_API_KEYS', 'api-key', ['use']),
    ...fromEnvironment(environment, 'TRIMTAB_ADMIN_KEYS', 'admin-key', ['use', 'admin']),
  ];
  const names = new Map<string, string>();
  const hashes = new Map<string, string>();
  const keys = found.map(({ entry, source, at }): ApiKey => {
    const { name } = entry;
    const same = hashes.get(entry.sha256);
    if (same !== undefined) {
      throw fault(
        source,
        at,
        `${name} is the same key as ${same}`,
        'Give everybody a key of their own, once.',
        shown(name),
      );
    }
    if (names.has(name)) {
      throw fault(
        source,
        at,
        `${String(names.get(name))} has the name ${name} already`,
        'Rename one of them.',
        shown(name),
      );
    }
    names.set(name, `${source}: ${at}`);
    hashes.set(entry.sha256, name);
    return {
      name,
      sha256: entry.sha256,
      scopes: entry.scopes,
      expiresMs: entry.expires === undefined ? null : expiry(source, at, entry.expires),
      requestsPerMinute: entry.requestsPerMinute ?? auth.limits.requestsPerMinute,
      tokensPerMinute: entry.tokensPerMinute ?? auth.limits.tokensPerMinute,
      tokensPerDay: entry.tokensPerDay ?? auth.limits.tokensPerDay,
      priority: entry.priority ?? auth.limits.priority,
    };
  });
  const counted = (['requestsPerMinute', 'tokensPerMinute', 'tokensPerDay'] as const).find(
    (limit) => auth.limits[limit] !== null,
  );
  if (keys.length === 0 && counted !== undefined) {
    throw new AppError('config_invalid', {
      path,
      key: `auth.limits.${counted}`,
      problem: 'requests and tokens are counted per key, and there is no key',
      value: auth.limits[counted],
      remedy: `Give keys, or leave it out. ${howToMake}`,
    });
  }
  return keys;
}

interface Found {
  readonly entry: KeyEntry;
  readonly source: string;
  readonly at: string;
}

/** A variable that is set but empty is more likely a secret that did not arrive than the wish for an open server. */
function fromEnvironment(
  environment: Readonly<Record<string, string | undefined>>,
  variable: string,
  prefix: string,
  scopes: Scope[],
): Found[] {
  const text = environment[variable];
  if (text === undefined) return [];
  const keys = text.split(',').map((key) => key.trim());
  if (keys.every((key) => key === '')) {
    throw fault('environment', variable, 'it is set but holds no key', `Unset it, or give keys. ${howToMake}`);
  }
  return keys
    .filter((key) => key !== '')
    .map((key, index) => {
      const name = `${prefix}-${index + 1}`;
      checkKey('environment', `${variable} (key ${index + 1})`, key);
      return {
        entry: { name, sha256: sha256(key), scopes },
        source: 'environment',
        at: `${variable} (key ${index + 1})`,
      };
    });
}

function checkKey(source: string, at: string, key: unknown): asserts key is string {
  if (typeof key === 'string' && keyPattern.test(key)) return;
  throw fault(source, at, 'a key has 8 to 512 visible ASCII characters, none of them a comma', howToMake);
}

function fromFile(file: string): Found[] {
  let text: string;
  try {
    text = readFileSync(file, 'utf8').replace(/^\uFEFF/, '');
  } catch (error) {
    const reason = (error as NodeJS.ErrnoException).code ?? String(error);
    const problem = `the key file cannot be read (${reason})`;
    throw new AppError(
      'config_invalid',
      {
        path: file,
        key: 'auth.keyFile',
        problem,
        value: file,
        remedy: 'Create it, or correct auth.keyFile or TRIMTAB_KEY_FILE.',
      },
      { cause: error },
    );
  }
  const found = text.trimStart().startsWith('[') ? fromJson(file, text) : fromLines(file, text);
  if (found.length === 0) throw fault(file, 'the whole file', 'it holds no key', `Write one per line. ${howToMake}`);
  return found;
}

/** KEY, then any of name=…, scopes=use,admin, expires=…, and the limits of a key */
function fromLines(file: string, text: string): Found[] {
  const lines = text.split(/\r?\n/).map((line, index) => ({ words: line.trim().split(/\s+/), number: index + 1 }));
  return lines
    .filter(({ words }) => words[0] !== '' && words[0]?.startsWith('#') !== true)
    .map(({ words: [key, ...options], number }) => {
      const at = `line ${number}`;
      checkKey(file, at, key);
      const entry: Record<string, unknown> = { name: `line-${number}`, sha256: sha256(key) };
      for (const option of options) {
        const [, name = '', value = ''] = /^(\w+)=(.+)$/.exec(option) ?? [];
        if (name === '' || name === 'sha256') {
          const problem = 'after the key only options may stand';
          throw fault(
            file,
            at,
            problem,
            'Write name=…, scopes=use,admin, expires=2027-01-31, requestsPerMinute=60 or priority=-10.',
          );
        }
        entry[name] =
          name === 'scopes' ? value.split(',') : /Per(Minute|Day)$|^priority$/.test(name) ? Number(value) : value;
      }
      return { entry: checked(file, [entry])[0]!, source: file, at };
    });
}

/** The entries of the configuration, which here may have `key` in place of `sha256`. */
function fromJson(file: string, text: string): Found[] {
  let list: unknown;
  try {
    list = JSON.parse(text);
  } catch (error) {
    // The parser's own message quotes the text.
    const remedy = 'Correct it, or write one key per line.';
    throw new AppError(
      'config_invalid',
      { path: file, key: 'the whole file', problem: 'it is not JSON', value: 'something that is not shown', remedy },
      { cause: error instanceof Error ? error.name : error },
    );
  }
  const hashed = (list as unknown[]).map((entry, index) => {
    if (!isObject(entry) || !Object.hasOwn(entry, 'key')) return entry;
    const { key, ...rest } = entry;
    checkKey(file, `${index}.key`, key);
    return { ...rest, sha256: sha256(key) };
  });
  checkEntries(file, 'the list', hashed);
  return checked(file, hashed).map((entry, index) => ({ entry, source: file, at: String(index) }));
}

function checked(file: string, entries: readonly unknown[]): KeyFile {
  const filled = fillDefaults(KeyFile, entries);
  const errors = Value.Errors(KeyFile, filled);
  if (errors.length > 0) throw firstProblem(file, KeyFile, filled, errors);
  return filled as KeyFile;
}

/** A day alone begins at midnight UTC. */
function expiry(source: string, at: string, text: string): number {
  const ms = Date.parse(text);
  // A 30 February would be read as a day in March.
  if (!Number.isNaN(ms) && new Date(`${text.slice(0, 10)}T00:00:00Z`).toISOString().startsWith(text.slice(0, 10)))
    return ms;
  throw new AppError('config_invalid', {
    path: source,
    key: `${at}.expires`,
    problem: 'there is no such moment',
    value: shown(text),
    remedy: 'Write a day such as 2027-01-31, or a moment such as 2027-01-31T18:00:00Z.',
  });
}
