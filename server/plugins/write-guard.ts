// A deadline for whole (not streamed) answers: a reader that does not take its answer holds memory and a socket. Streams have their
// own guard in sse.ts.
import fastifyPlugin from 'fastify-plugin';

export interface WriteGuardOptions {
  readonly writeTimeoutMs: number;
  /** Slower readers than this are not waited for. */
  readonly leastBytesPerSecond?: number;
}

export const writeGuard = fastifyPlugin<WriteGuardOptions>((app, options, done) => {
  const { writeTimeoutMs, leastBytesPerSecond = 16 * 1024 } = options;
  app.addHook('onSend', (_request, reply, payload, next) => {
    const length = typeof payload === 'string' || Buffer.isBuffer(payload) ? payload.length : 0;
    const timer = setTimeout(() => reply.raw.destroy(), writeTimeoutMs + (length / leastBytesPerSecond) * 1000);
    timer.unref();
    const clear = (): void => clearTimeout(timer);
    reply.raw.once('finish', clear);
    reply.raw.once('close', clear);
    next(null, payload);
  });
  done();
});
