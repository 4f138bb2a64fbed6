// Closing the server: answers that run are finished, then every connection goes. Node alone would wait for connections that are kept
// alive or were opened and never used, as clients do in reserve.
import fastifyPlugin from 'fastify-plugin';

/** How often, while closing, to see whether the last answer is out. */
const checkIntervalMs = 25;

export const drainPlugin = fastifyPlugin((app, _options, done) => {
  let running = 0;

  app.addHook('onRequest', (_request, reply, next) => {
    running++;
    reply.raw.once('close', () => running--);
    next();
  });
  app.addHook('preClose', (next) => {
    if (app.server.listening) {
      const timer = setInterval(() => {
        if (running === 0) app.server.closeAllConnections();
      }, checkIntervalMs);
      app.server.once('close', () => clearInterval(timer));
    }
    next();
  });
  done();
});
