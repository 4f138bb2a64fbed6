// GET /openapi.json and its page under /docs: swagger-ui from this server's own files, with a policy that lets nothing else in. Registered
// before the routes, which it collects as they are declared. Routes of files say `hide` in their schema.
import swagger from '@fastify/swagger';
import swaggerUi from '@fastify/swagger-ui';
import type { FastifyInstance, RouteOptions } from 'fastify';
import fastifyPlugin from 'fastify-plugin';
import { AppError } from '../errors.js';
import {
  complete,
  documentedUrl,
  errorSchema,
  introduction,
  securitySchemes,
  tags,
  withoutKeys,
  type Paths,
} from '../openapi/document.js';

export interface OpenApiOptions {
  readonly version: string;
  /** Keys are asked for, now: otherwise every route is open. */
  readonly hasKeys: () => boolean;
}

/** swagger-ui draws its icons from data: addresses, and puts one style of its own, known by its hash, into the page. No inline script. */
const policy = [
  "default-src 'none'",
  "script-src 'self'",
  "style-src 'self' 'sha256-RL3ie0nH+Lzz2YNqQN83mnU0J1ot4QL7b99vMdIX99w='",
  "img-src 'self' data:",
  "connect-src 'self'",
  "base-uri 'none'",
  "form-action 'none'",
  "frame-ancestors 'none'",
].join('; ');

const rudder = `<svg xmlns="http://www.w3.org/2000/svg" width="40" height="40" viewBox="0 0 32 32"><path d="M6 4h14a6 6 0 0 1 6 6v12a6 6 0 0 1-6 6H6z" fill="#22b8cf"/><path d="M22 18l8 3-8 5z" fill="#f08c00"/></svg>`;

const sampleError = new AppError('invalid_value', {
  param: 'temperature',
  problem: 'must be <= 2',
  value: '3',
  remedy: 'Send a number from 0 (greedy) to 2; below 0.0001 counts as 0.',
});

export const openApiPlugin = fastifyPlugin<OpenApiOptions>(async (app: FastifyInstance, { version, hasKeys }) => {
  const open = new Set<string>();
  const isOpen = (method: string, url: string): boolean => open.has(`${method} ${url}`);
  app.addHook('onRoute', ({ method, url, config }: RouteOptions) => {
    if (config?.access !== 'public') return;
    for (const one of [method].flat()) open.add(`${one} ${documentedUrl(url)}`);
  });
  const current: Current = (document) => (hasKeys() ? document : withoutKeys(document));
  await app.register(swagger, {
    openapi: {
      openapi: '3.1.0',
      info: {
        title: 'trimtab',
        version,
        description: introduction,
        license: { name: 'Apache-2.0', identifier: 'Apache-2.0' },
      },
      servers: [{ url: '/', description: 'this server' }],
      tags: [...tags],
      components: { securitySchemes, schemas: { Error: errorSchema as never } },
    },
    transform: ({ schema, url }) => ({ schema, url: documentedUrl(url) }),
    transformObject: (document) => {
      if ('openapiObject' in document) {
        complete((document.openapiObject.paths ?? {}) as Paths, isOpen, sampleError);
        return document.openapiObject;
      }
      return document.swaggerObject;
    },
  });
  app.get('/openapi.json', { config: { access: 'public' } }, () => current(app.swagger()));
  await app.register(docsPage, { current });
});

/** The document as it stands at this moment. */
type Current = <T extends object>(document: T) => T;

async function docsPage(app: FastifyInstance, { current }: { readonly current: Current }): Promise<void> {
  app.addHook('onRoute', (route) => {
    route.config = { ...route.config, access: 'public' };
  });
  app.addHook('onSend', (_request, reply, _payload, done) => {
    void reply
      .header('content-security-policy', policy)
      .header('x-content-type-options', 'nosniff')
      .header('referrer-policy', 'no-referrer');
    done();
  });
  await app.register(swaggerUi, {
    routePrefix: '/docs',
    transformSpecification: (document) => current(document),
    transformSpecificationClone: false,
    theme: { title: 'trimtab: the HTTP interface' },
    logo: { type: 'image/svg+xml', content: rudder, href: '/', target: '_self' },
    uiConfig: {
      deepLinking: true,
      docExpansion: 'list',
      tryItOutEnabled: true,
      // It would send the document to a server of somebody else's.
      validatorUrl: null,
    },
  });
}
