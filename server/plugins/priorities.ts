// How urgent a key's requests may be: each key has a bound, and asking for more is refused rather than lowered in silence. Over HTTP and on
// websockets. On a server without keys anyone may ask for anything: who asks for what is between its users.
import type { FastifyInstance } from 'fastify';
import fastifyPlugin from 'fastify-plugin';
import { AppError } from '../errors.js';

declare module 'fastify' {
  interface FastifyInstance {
    /** Throws priority_not_allowed. */
    checkPriority(request: FastifyRequest, priority: number | null | undefined): void;
  }
}

export const priorities = fastifyPlugin((app: FastifyInstance, _options, done) => {
  app.decorate('checkPriority', ({ apiKey }, priority) => {
    if (apiKey === null || (priority ?? 0) >= apiKey.priority) return;
    throw new AppError('priority_not_allowed', {
      param: 'priority',
      name: apiKey.name,
      value: priority,
      limit: apiKey.priority,
    });
  });
  done();
});
