// The playground under GET /: a few static files, built by clients/page into dist/page. Nothing on it comes from another server, and its
// policy says so to the browser. A server that was built without them has no page.
import { existsSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import helmet from '@fastify/helmet';
import files from '@fastify/static';
import type { FastifyInstance } from 'fastify';

/** From dist/server/plugins. */
const built = fileURLToPath(new URL('../../page', import.meta.url));

const ONE_YEAR_MS = 365 * 24 * 3600 * 1000;

export async function pagePlugin(app: FastifyInstance, { root = built }: { readonly root?: string }): Promise<void> {
  if (!existsSync(root)) return;
  // The routes of this plugin alone: a page has no key before somebody has typed it in.
  app.addHook('onRoute', (route) => {
    route.config = { ...route.config, access: 'public' };
    route.schema = { ...route.schema, hide: true };
  });
  await app.register(helmet, {
    contentSecurityPolicy: {
      useDefaults: false,
      directives: {
        defaultSrc: ["'none'"],
        scriptSrc: ["'self'"],
        styleSrc: ["'self'"],
        imgSrc: ["'self'", 'data:'],
        connectSrc: ["'self'"],
        baseUri: ["'none'"],
        formAction: ["'none'"],
        frameAncestors: ["'none'"],
      },
    },
    // The server may stand behind plain HTTP on a laptop.
    strictTransportSecurity: false,
    referrerPolicy: { policy: 'no-referrer' },
  });
  await app.register(files, {
    root,
    index: 'index.html',
    wildcard: false,
    setHeaders: (reply, path) => {
      // Vite puts a hash of the content into the names below assets/.
      const isNamedByContent = path.includes('/assets/');
      void reply.header(
        'cache-control',
        isNamedByContent ? `public, max-age=${ONE_YEAR_MS / 1000}, immutable` : 'no-cache',
      );
    },
    cacheControl: false,
  });
}
