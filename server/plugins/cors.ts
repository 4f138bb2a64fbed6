// Which pages of other origins may ask: those that the configuration lists, letter for letter. Any other page gets no header that would let
// its browser hand it an answer. Before authPlugin: a preflight has no key.
import cors from '@fastify/cors';
import type { FastifyInstance } from 'fastify';
import fastifyPlugin from 'fastify-plugin';

/** What a page may read of an answer. */
const exposedHeaders = [
  'x-request-id',
  'x-trimtab-ignored',
  'x-should-retry',
  'retry-after',
  'x-ratelimit-limit',
  'x-ratelimit-remaining',
  'x-ratelimit-reset',
  'x-ratelimit-limit-tokens',
  'x-ratelimit-remaining-tokens',
  'x-ratelimit-reset-tokens',
];

const preflightSeconds = 600;

export interface CorsOptions {
  /** At present: they change while the server runs. */
  readonly origins: () => readonly string[];
}

export const corsPlugin = fastifyPlugin<CorsOptions>(async (app: FastifyInstance, { origins }) => {
  await app.register(cors, {
    origin: (origin, answer) => answer(null, origin !== undefined && origins().includes(origin)),
    methods: ['GET', 'HEAD', 'POST'],
    credentials: false,
    exposedHeaders,
    maxAge: preflightSeconds,
  });
});
