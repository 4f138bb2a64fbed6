// The sections `server` and `cors`: where the HTTP server listens, what it logs, how strict it is, and which pages may ask it.
import { Type } from 'typebox';
import { closed } from './common.js';

export const Server = Type.Object(
  {
    host: Type.String({
      default: '127.0.0.1',
      minLength: 1,
      description: 'Address to listen on; 0.0.0.0 for all. --host overrides it.',
    }),
    port: Type.Integer({
      default: 8000,
      minimum: 0,
      maximum: 65535,
      description: 'TCP port; 0 takes a free one. PORT and --port override it.',
    }),
    logLevel: Type.Enum(['silent', 'error', 'warn', 'info', 'debug'], {
      default: 'warn',
      description: 'What is logged on stderr, as JSON lines. Prompts and answers are never logged.',
    }),
    strict: Type.Boolean({
      default: false,
      description:
        'true: unknown fields of a request are errors. false: they are ignored and named in the header x-trimtab-ignored. Inside decoding they are always errors.',
    }),
  },
  { ...closed, default: {}, description: 'The HTTP server.' },
);

export const Cors = Type.Object(
  {
    origins: Type.Array(Type.String({ pattern: '^https?://[^/*?#\\s]+$' }), {
      default: [],
      maxItems: 256,
      description:
        'Origins such as "https://chat.example.org" whose pages may use the server from their visitors\' browsers, over HTTP and websockets; letter for letter, no patterns.',
    }),
  },
  { ...closed, default: {}, description: 'Pages of other origins.' },
);
