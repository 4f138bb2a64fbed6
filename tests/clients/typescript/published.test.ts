// The package as its users get it: it says what it holds, and its types need nothing but a platform's own.
import { readdir, readFile, writeFile } from 'node:fs/promises';
import path from 'node:path';
import { afterAll, beforeAll, describe, expect, test, vi } from 'vitest';
import { modules, packageDirectory, projectWithClient, ran, root, type Project } from './package.js';

vi.setConfig({ testTimeout: 120_000 });

let project: Project;
let files: string[];
let home: string;

beforeAll(async () => {
  project = await projectWithClient(['@types/node', 'undici-types']);
  home = path.join(project.directory, 'node_modules/@trimtab/client');
  const entries = await readdir(home, { recursive: true, withFileTypes: true });
  files = entries
    .filter((entry) => entry.isFile())
    .map((entry) => path.relative(home, path.join(entry.parentPath, entry.name)))
    .sort();
});
afterAll(() => project.remove());

test('it holds what was built, and papers', () => {
  const papers = files.filter((file) => !file.startsWith('dist/'));
  expect(papers).toEqual(['CHANGELOG.md', 'LICENSE', 'README.md', 'package.json']);
  expect(files.filter((file) => !/\.(js|d\.ts)$/.test(file))).toEqual(papers);
  expect(files).toContain('dist/index.js');
  expect(files).toContain('dist/index.d.ts');
});

test('nothing in it leads out of it, but to its one dependency', async () => {
  const { dependencies } = JSON.parse(await readFile(path.join(home, 'package.json'), 'utf8')) as {
    dependencies: Record<string, string>;
  };
  expect(Object.keys(dependencies)).toEqual(['eventsource-parser']);
  for (const file of files.filter((name) => name.startsWith('dist/'))) {
    const text = await readFile(path.join(home, file), 'utf8');
    const targets = [...text.matchAll(/\bfrom '([^']+)';$|\bimport\('([^']+)'\)/gm)].map(([, a, b]) => a ?? b!);
    for (const target of targets) {
      if (target === 'eventsource-parser') continue;
      expect(target.startsWith('.'), `${file} imports ${target}`).toBe(true);
      const resolved = path.posix.join(path.posix.dirname(file), target);
      expect(files, `${file} imports ${target}`).toContain(resolved);
    }
    expect(text, file).not.toMatch(/reference types=/);
  }
});

test.each<[string, string, string[]]>([
  ['publint', 'publint/src/cli.js', ['--strict', '--pack', 'false']],
  ['attw', '@arethetypeswrong/cli/dist/index.js', ['--pack', '.', '--profile', 'esm-only', '--no-color']],
])('%s has nothing to say against it', async (_, bin, args) => {
  const { code, output } = await ran(process.execPath, [path.join(modules, bin), ...args], packageDirectory);
  expect(output).not.toMatch(/\b(Errors?|Warnings?):|💀|❌/);
  expect(code, output).toBe(0);
});

const use = `
import { AbortedError, eft, rain, scorer, Trimtab, type Answer, type StreamEvent } from '@trimtab/client';
const client = new Trimtab({ baseUrl: 'http://127.0.0.1:8000' });
const steered = eft({ base: 'a', tuned: 'b', reference: 'c' });
const answer: Answer = await client.decode({ model: 'a', prompt: 'x', decoding: rain(steered, { judge: scorer.reward({ model: 'r' }) }) });
const seen: StreamEvent['type'][] = [];
for await (const event of client.stream({ model: 'a', messages: [{ role: 'user', content: answer.text }] })) seen.push(event.type);
const connection = await client.connect();
const live = connection.stream({ model: 'a', prompt: 'x' }, { credit: 4 });
const { positions } = await live.update({ weight: 1 });
void (positions satisfies readonly (number | null)[]);
void AbortedError;
// @ts-expect-error nobody judges
rain(steered, {});
// @ts-expect-error an answer has no such field
void answer.txt;
`;

describe('its types, checked with everything they lead to', () => {
  test.each<[string, object]>([
    [
      'in a browser, by the rules of bundlers',
      {
        lib: ['ES2022', 'DOM'],
        types: [],
        module: 'ESNext',
        moduleResolution: 'Bundler',
        exactOptionalPropertyTypes: true,
        noUncheckedIndexedAccess: true,
        isolatedModules: true,
      },
    ],
    ['in Node, without the types of a browser', { lib: ['ES2022'], types: ['node'], verbatimModuleSyntax: true }],
  ])('%s', async (_, options) => {
    await writeFile(path.join(project.directory, 'use.ts'), use);
    const { code, output } = await project.compile({ ...options, skipLibCheck: false, noEmit: true }, ['use.ts']);
    expect(output).toBe('');
    expect(code).toBe(0);
  });
});

test('every name that it gives is in its README', async () => {
  const [readme, index] = await Promise.all(
    ['README.md', 'dist/index.js'].map((file) => readFile(path.join(home, file), 'utf8')),
  );
  expect(index!.length).toBeGreaterThan(0);
  const given = Object.keys((await import(path.join(root, 'clients/typescript/dist/index.js'))) as object);
  expect(given.length).toBeGreaterThan(30);
  expect(given.filter((name) => !readme!.includes(name))).toEqual([]);
});
