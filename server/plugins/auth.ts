// Who may ask: every address needs a key unless its route says `access: 'public'`, and one that does not exist needs one too. Knows keys
// by their hashes only. Without any key configured the server is open.
import { createHash, timingSafeEqual } from 'node:crypto';
import type { FastifyInstance, FastifyRequest } from 'fastify';
import fastifyPlugin from 'fastify-plugin';
import type { ApiKey, Scope } from '../config/keys.js';
import type { AuthConfig } from '../context.js';
import { AppError } from '../errors.js';
import { shown } from '../wire/shown.js';
import { WrongKeys } from './wrong-keys.js';

declare module 'fastify' {
  interface FastifyInstance {
    /** For what begins on an open websocket: its key, with the limits that it has now. Throws where it has expired or was taken away. */
    renewKey(request: FastifyRequest): void;
  }
  interface FastifyContextConfig {
    /** What a request to this route needs: nothing, a key with this scope, or any key. Left out: the scope use. */
    readonly access?: 'public' | 'key' | Scope;
  }
  interface FastifyRequest {
    /** Whose request it is; null on an open server and on public routes. */
    apiKey: ApiKey | null;
  }
}

/** Of a websocket: pages cannot set headers. */
export const keySubprotocol = 'trimtab.key.';

const digest = (text: string): Buffer => createHash('sha256').update(text).digest();

export class Keyring {
  readonly #keys: readonly { readonly key: ApiKey; readonly hash: Buffer }[];

  readonly #equal: typeof timingSafeEqual;

  constructor(keys: readonly ApiKey[], equal: typeof timingSafeEqual = timingSafeEqual) {
    this.#equal = equal;
    this.#keys = keys.map((key) => ({ key, hash: Buffer.from(key.sha256, 'hex') }));
  }

  /** Takes as long for every candidate: hashes are compared whole, and all of them. */
  find(candidate: string): ApiKey | null {
    const hash = digest(candidate);
    let found: ApiKey | null = null;
    for (const { key, hash: known } of this.#keys) if (this.#equal(hash, known)) found = key;
    return found;
  }
}

/** What is sent under these names is a key of some kind, ours or not. */
const namesOfKeys: ReadonlySet<string> = new Set([
  'key',
  'apikey',
  'xapikey',
  'token',
  'accesstoken',
  'authorization',
  'bearer',
  'trimtabkey',
]);

/** The name of a query parameter that holds a key. */
function keyInQuery(url: string, keyring: Keyring): string | null {
  const start = url.indexOf('?');
  if (start === -1) return null;
  for (const [name, value] of new URLSearchParams(url.slice(start + 1))) {
    // A key alone, as in ?KEY.
    if (keyring.find(name) !== null) return '(without a name)';
    if (keyring.find(value) !== null) return name;
    if (namesOfKeys.has(name.toLowerCase().replaceAll(/[^a-z]/g, ''))) return name;
  }
  return null;
}

/** What the request shows: the first of the three places that is used at all. */
function candidate({ headers }: FastifyRequest): string | null {
  const { authorization } = headers;
  if (authorization !== undefined) return /^Bearer +(\S+) *$/i.exec(authorization)?.[1] ?? null;
  const header = headers['x-api-key'];
  if (typeof header === 'string') return header;
  const offered = (headers['sec-websocket-protocol'] ?? '').split(',').map((protocol) => protocol.trim());
  const protocol = offered.find((one) => one.startsWith(keySubprotocol));
  return protocol === undefined ? null : Buffer.from(protocol.slice(keySubprotocol.length), 'base64url').toString();
}

const hasExpired = (key: ApiKey): key is ApiKey & { readonly expiresMs: number } =>
  key.expiresMs !== null && Date.now() >= key.expiresMs;

/** The last characters tell whoever sent it which of their keys it was; of a short one they would tell too much. */
function ending(key: string): string {
  return key.length < 16 ? 'This API key' : `The API key that ends in ${shown(key.slice(-4))}`;
}

/** Throws too_many_wrong_keys, whatever the key: an address that guesses learns nothing more. */
function checkGuesses(request: FastifyRequest, key: ApiKey | null, guesses: WrongKeys, limit: number | null): void {
  const blockedMs = limit === null ? null : guesses.blockedMs(request.ip, key?.name ?? null, limit);
  if (blockedMs !== null) throw new AppError('too_many_wrong_keys', { retryAfterSeconds: Math.ceil(blockedMs / 1000) });
  if (key === null) guesses.wrong(request.ip);
  else guesses.right(request.ip, key.name);
}

function authenticate(request: FastifyRequest, keyring: Keyring, guesses: WrongKeys, limit: number | null): ApiKey {
  const refused = (problem: string): AppError => new AppError('invalid_api_key', { problem });
  const shownKey = candidate(request);
  if (shownKey === null) {
    throw refused(
      request.headers.authorization === undefined
        ? 'This server needs an API key, and none was sent'
        : 'The header Authorization is not of the form "Bearer KEY"',
    );
  }
  const key = keyring.find(shownKey);
  checkGuesses(request, key, guesses, limit);
  if (key === null) throw refused(`${ending(shownKey)} is not known here`);
  if (hasExpired(key)) {
    throw refused(`${ending(shownKey)} expired on ${new Date(key.expiresMs).toISOString()}`);
  }
  return key;
}

export interface AuthOptions {
  /** At present: keys come and go while the server runs. */
  readonly auth: () => AuthConfig;
}

export const authPlugin = fastifyPlugin<AuthOptions>((app: FastifyInstance, { auth }, done) => {
  const guesses = new WrongKeys();
  let known: { readonly keys: readonly ApiKey[]; readonly keyring: Keyring } | null = null;
  /** Null where the server is open. */
  const current = (): Keyring | null => {
    const { keys } = auth();
    if (known?.keys !== keys) known = { keys, keyring: new Keyring(keys) };
    return keys.length === 0 ? null : known.keyring;
  };
  app.decorateRequest('apiKey', null);
  app.decorate('renewKey', (request) => {
    if (request.apiKey === null) return;
    const { sha256 } = request.apiKey;
    const key = auth().keys.find((one) => one.sha256 === sha256);
    const problem = key === undefined ? 'was taken away' : hasExpired(key) ? 'has expired' : null;
    if (key === undefined || problem !== null)
      throw new AppError('invalid_api_key', { problem: `The API key of this connection ${String(problem)}` });
    request.apiKey = key;
  });
  app.addHook('onRequest', (request, reply, next) => {
    const keyring = current();
    if (keyring === null) {
      next();
      return;
    }
    try {
      const param = keyInQuery(request.url, keyring);
      if (param !== null) throw new AppError('key_in_url', { param: shown(param, 40).slice(1, -1) });
      const access = request.routeOptions.config.access ?? 'use';
      if (access !== 'public') {
        const key = authenticate(request, keyring, guesses, auth().wrongKeysPerMinute ?? null);
        if (access !== 'key' && !key.scopes.includes(access)) {
          throw new AppError('missing_scope', { name: key.name, scope: access });
        }
        request.apiKey = key;
      }
      next();
    } catch (error) {
      if (!(error instanceof AppError)) throw error;
      if (error.data.status === 401) void reply.header('www-authenticate', 'Bearer');
      next(error);
    }
  });
  done();
});
