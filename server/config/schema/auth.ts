// The section `auth`, and the same entries in a key file: who may use the server, for what, until when and how much.
import { Type, type Static } from 'typebox';
import { closed } from './common.js';

const KeyEntry = Type.Object(
  {
    name: Type.String({
      pattern: '^[A-Za-z0-9][A-Za-z0-9._@-]{0,63}$',
      description: 'Whose key it is, for logs: letters, digits and . _ @ -, at most 64.',
    }),
    sha256: Type.String({
      pattern: '^[0-9a-f]{64}$',
      description: 'SHA-256 of the key in hexadecimal (printf %s "$KEY" | sha256sum). The key itself is refused here.',
    }),
    scopes: Type.Array(Type.Enum(['use', 'admin']), {
      default: ['use'],
      minItems: 1,
      uniqueItems: true,
      description: 'use: everything that decodes or reads. admin: what changes the server; it does not include use.',
    }),
    expires: Type.Optional(
      Type.String({
        pattern: '^\\d{4}-\\d{2}-\\d{2}(T\\d{2}:\\d{2}(:\\d{2})?(Z|[+-]\\d{2}:\\d{2}))?$',
        description:
          'When the key ends: a day such as 2027-01-31 (its beginning, UTC) or a moment such as 2027-01-31T18:00:00Z.',
      }),
    ),
    requestsPerMinute: Type.Optional(
      Type.Integer({ minimum: 1, description: 'In place of auth.limits.requestsPerMinute (requests per minute).' }),
    ),
    tokensPerMinute: Type.Optional(
      Type.Integer({ minimum: 1, description: 'In place of auth.limits.tokensPerMinute (tokens per minute).' }),
    ),
    tokensPerDay: Type.Optional(
      Type.Integer({ minimum: 1, description: 'In place of auth.limits.tokensPerDay (tokens per day).' }),
    ),
    priority: Type.Optional(
      Type.Integer({ minimum: -1000, maximum: 0, description: 'In place of auth.limits.priority.' }),
    ),
  },
  { ...closed, description: 'One key.' },
);

/** A key file in JSON, once its keys have been hashed. */
export const KeyFile = Type.Array(KeyEntry, { description: 'a list of keys' });

export const Auth = Type.Object(
  {
    keys: Type.Array(KeyEntry, {
      default: [],
      description:
        'Keys that clients may show, by their hashes. Without any key, here or elsewhere, the server is open.',
    }),
    keyFile: Type.Union([Type.Null(), Type.String({ minLength: 1 })], {
      default: null,
      description:
        'A file of keys, relative to the config file: one per line, then any of name=alice scopes=use,admin expires=2027-01-31 requestsPerMinute=60 tokensPerMinute=10000 tokensPerDay=1000000 priority=-10; # begins a comment. Or JSON: a list as auth.keys, with key in place of sha256. TRIMTAB_KEY_FILE overrides it.',
    }),
    openMetrics: Type.Boolean({
      default: false,
      description: 'Whether /metrics is answered without a key. /health, /ready and the playground always are.',
    }),
    limits: Type.Object(
      {
        requestsPerMinute: Type.Union([Type.Null(), Type.Integer({ minimum: 1 })], {
          default: null,
          description:
            'Requests of one key in a minute, and messages that begin a decode on its websockets; further ones get 429 with retry-after (requests per minute). null: any number.',
        }),
        tokensPerMinute: Type.Union([Type.Null(), Type.Integer({ minimum: 1 })], {
          default: null,
          description:
            'Tokens of one key in a minute: a request reserves its prompt and max_tokens, and gives back at its end what it did not use; further ones get 429 with retry-after (tokens per minute). null: any number.',
        }),
        tokensPerDay: Type.Union([Type.Null(), Type.Integer({ minimum: 1 })], {
          default: null,
          description: 'The same over 24 hours from the first request (tokens per day). null: any number.',
        }),
        priority: Type.Integer({
          default: 0,
          minimum: -1000,
          maximum: 0,
          description:
            'The most urgent priority that a request of one key may ask for; lower numbers go first, and asking for a lower one gets 403. Without keys anyone may ask for anything.',
        }),
        wrongKeysPerMinute: Type.Union([Type.Null(), Type.Integer({ minimum: 1 })], {
          default: 10,
          description:
            'Wrong keys from one address in a minute (of IPv6, from one /64); further ones get 429 without a verdict. Keys that were right from there before go on. null: any number (keys per minute).',
        }),
      },
      { ...closed, default: {}, description: 'What each key may use.' },
    ),
  },
  { ...closed, default: {}, description: 'Who may use the server.' },
);

export type KeyEntry = Static<typeof KeyEntry>;
export type KeyFile = Static<typeof KeyFile>;
export type AuthSettings = Static<typeof Auth>;
