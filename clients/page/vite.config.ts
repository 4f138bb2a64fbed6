// The playground: a few static files that fastify serves (server/plugins/page.ts). Nothing is loaded from elsewhere.
import { fileURLToPath } from 'node:url';
import { defineConfig } from 'vite';

const here = (path: string): string => fileURLToPath(new URL(path, import.meta.url));

export default defineConfig({
  root: here('.'),
  base: './',
  resolve: { alias: { '@trimtab/client': here('../typescript/src/index.ts') } },
  esbuild: { jsx: 'automatic', jsxImportSource: 'preact' },
  build: { outDir: here('../../dist/page'), emptyOutDir: true, target: 'es2022', modulePreload: { polyfill: false } },
  logLevel: 'warn',
});
