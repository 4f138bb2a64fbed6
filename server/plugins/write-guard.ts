// A deadline for whole (not streamed) answers: a reader that does not take its answer holds memory and a socket. Streams have their
// own guard in sse.ts.
import fastifyPlugin from 'fastify-plugin';

/** Slower readers than this are not waited for. */
const leastBytesPerSecond = 16 * 1024;

export const writeGuard = fastifyPlugin<{ writeTimeoutMs: number }>((app, { writeTimeoutMs }, done) => {
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
