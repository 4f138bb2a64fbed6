// The configuration as an operator meets it: what is read from where, what every mistake answers, and that the published files are
// those of the declaration.
import { mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { defaultArtifactDirectory, loadConfig, packageDirectory, wantsColor } from '../../server/config.js';
import { publishedSchema, referencePage } from '../../server/config/document.js';
import { editDistance } from '../../decoders/fields.js';
import { nearest } from '../../server/config/nearest.js';
import { AppError } from '../../server/errors.js';

const folder = mkdtempSync(join(tmpdir(), 'trimtab-config-'));
beforeAll(() => {
  mkdirSync(join(folder, 'large'));
  writeFileSync(join(folder, 'large', 'config.json'), '{}');
  mkdirSync(join(folder, 'empty'));
  writeFileSync(join(folder, 'file'), '');
});
afterAll(() => rmSync(folder, { recursive: true }));

const write = (content: unknown): string => {
  const path = join(folder, 'trimtab.config.json');
  writeFileSync(path, typeof content === 'string' ? content : JSON.stringify(content));
  return path;
};
const models = { large: { path: 'large' } };

function messageOf(content: unknown, environment = {}): string {
  try {
    loadConfig({ path: write(content) }, environment);
  } catch (error) {
    if (error instanceof AppError) return error.message;
    throw error;
  }
  throw new Error('the configuration was accepted');
}

describe('a valid configuration', () => {
  it('has equal keys in different objects, and texts that look like keys', () => {
    const a = { decoding: { method: 'plain', model: 'large', more: [{ model: 'a,"model":' }, { model: '{' }] } };
    expect(loadConfig({ path: write({ models, deployments: { a, b: a } }) }, {}).deployments).toHaveLength(2);
  });

  it('fills in every default, resolves paths from the file, and is frozen to the bottom', () => {
    const config = loadConfig({ path: write({ models }) }, {});
    expect(config.models).toEqual([
      {
        name: 'large',
        path: join(folder, 'large'),
        weights: 'f32',
        kind: 'causal',
        device: 'cpu',
        contextLength: null,
      },
    ]);
    expect(config.server).toEqual({ host: '127.0.0.1', port: 8000, logLevel: 'warn', strict: false });
    expect(config.limits.maxRows).toBe(256);
    expect(config.deployments).toEqual([]);
    expect(config.artifactDirectory).toBe(join(folder, '.cache/artifacts'));
    expect(config.runtime.threads).toBeGreaterThan(0);
    expect(Object.isFrozen(config) && Object.isFrozen(config.limits) && Object.isFrozen(config.models[0])).toBe(true);
  });

  it('command line wins over the environment, the environment over the file', () => {
    const path = write({ models, server: { port: 1 } });
    expect(loadConfig({ path }, {}).server.port).toBe(1);
    expect(loadConfig({ path }, { PORT: '2' }).server.port).toBe(2);
    expect(loadConfig({ path, port: 3 }, { PORT: '2' }).server.port).toBe(3);
    expect(loadConfig({}, { TRIMTAB_CONFIG: path, TRIMTAB_ARTIFACTS: '/a' })).toMatchObject({
      file: path,
      artifactDirectory: '/a',
    });
  });

  it('convert puts artifacts where serve in the same folder looks for them', () => {
    const before = process.cwd();
    const elsewhere = mkdtempSync(join(tmpdir(), 'trimtab-cwd-'));
    try {
      process.chdir(elsewhere);
      expect(defaultArtifactDirectory({})).toBe(join(process.cwd(), '.cache/artifacts'));
      writeFileSync(
        'trimtab.config.json',
        JSON.stringify({ models: { m: { path: 'gone' } }, artifactDirectory: 'kept' }),
      );
      expect(defaultArtifactDirectory({})).toBe(join(process.cwd(), 'kept'));
      expect(defaultArtifactDirectory({ TRIMTAB_ARTIFACTS: '/a' })).toBe('/a');
    } finally {
      process.chdir(before);
      rmSync(elsewhere, { recursive: true });
    }
  });

  it('models from the command line need no file', () => {
    const config = loadConfig({ models: new Map([['m', join(folder, 'large')]]), weights: 'q4' }, {});
    expect(config).toMatchObject({ file: null, models: [{ name: 'm', path: join(folder, 'large'), weights: 'q4' }] });
  });

  it('folders need not exist where nothing is loaded', () => {
    const path = write({ models: { m: { path: 'gone' } } });
    expect(loadConfig({ path, checkFolders: false }, {}).models[0]?.path).toBe(join(folder, 'gone'));
  });

  it('a deployment keeps its decoding object as it is', () => {
    const decoding = { method: 'eft', base: 'large', tuned: 'a', reference: 'b', weight: 1.5 };
    const config = loadConfig(
      { path: write({ models, deployments: { d: { decoding, defaults: { top_p: 0.9 } } } }) },
      {},
    );
    expect(config.deployments).toEqual([{ name: 'd', decoding, defaults: { top_p: 0.9 } }]);
  });
});

describe('mistakes', () => {
  const missing = (name: string): string => join(folder, name);
  const cases: [what: string, content: unknown, ...parts: string[]][] = [
    ['unknown top key', { models, limit: {} }, 'unknown key limit', 'Did you mean limits?', 'models, deployments'],
    ['unknown nested key', { models, limits: { maxRow: 3 } }, 'limits.maxRow', 'Did you mean maxRows?', 'pingMs'],
    [
      'unknown key of a model',
      { models: { large: { path: 'large', weight: 'q4' } } },
      'models.large.weight',
      'weights?',
    ],
    ['a far-fetched key has no suggestion', { models, xyzzy: 1 }, 'unknown key xyzzy. Known keys'],
    [
      'wrong type',
      { models, limits: { maxRows: '8' } },
      'limits.maxRows',
      'a whole number ≥ 1',
      'got "8"',
      'Sequences',
    ],
    ['fraction', { models, limits: { maxRows: 1.5 } }, 'limits.maxRows', 'a whole number', 'got 1.5'],
    ['out of range', { models, server: { port: 65536 } }, 'server.port', '≤ 65535', 'got 65536'],
    ['wrong word', { models: { large: { path: 'large', weights: 'int4' } } }, 'models.large.weights', '"q8"', '"int4"'],
    ['missing path', { models: { large: {} } }, 'models.large.path', 'missing', 'Folder of a Hugging Face checkpoint'],
    [
      'null where a number or null may stand',
      { models, runtime: { threads: 'all' } },
      'runtime.threads',
      'null or a whole',
    ],
    ['no models key', {}, 'models', 'missing'],
    ['no models', { models: {} }, 'models', 'there is no model'],
    ['missing folder', { models: { m: { path: 'gone' } } }, 'models.m.path', 'no such folder', missing('gone')],
    ['a file for a folder', { models: { m: { path: 'file' } } }, 'models.m.path', 'a file, not a folder'],
    ['no checkpoint', { models: { m: { path: 'empty' } } }, 'models.m.path', 'holds no config.json'],
    ['bad name', { models: { 'a b': { path: 'large' } } }, '"a b"', 'Rename'],
    ['empty name', { models: { '': { path: 'large' } } }, 'name must begin', 'Rename'],
    ['same name twice', { models, deployments: { large: { decoding: {} } } }, 'deployments.large', 'same name'],
    ['deployment without decoding', { models, deployments: { d: {} } }, 'deployments.d.decoding', 'missing'],
    ['unknown default', { models, deployments: { d: { decoding: {}, defaults: { topP: 1 } } } }, 'topP', 'top_p?'],
    ['not JSON', '{ "models": ', 'not JSON', 'trailing commas'],
    ['a key twice', '{"models": {"m": {"path": "large"}, "m": {"path": "x"}}}', 'models.m:', 'twice', 'Keep one'],
    ['a key twice, spelt otherwise', '{"models": {}, "mod\\u0065ls": {}}', 'models:', 'twice', 'Keep one'],
    ['a key twice in a list', '{"auth": {"keys": [{}, {"name": "a", "name": "b"}]}}', 'auth.keys.name:', 'twice'],
    ['not an object', '[]', 'an object', '[]'],
    ['null', 'null', 'an object', 'null'],
  ];
  it.each(cases)('%s', (_, content, ...parts) => {
    const message = messageOf(content);
    for (const part of parts) expect(message).toContain(part);
    expect(message).toContain(join(folder, 'trimtab.config.json'));
    expect(message).not.toMatch(/\{\w+\}|undefined/);
  });

  it('a missing file, a folder, and a bad PORT', () => {
    expect(() => loadConfig({ path: missing('none.json') }, {})).toThrow(
      /none\.json cannot be read: there is no such file.*--config/,
    );
    expect(() => loadConfig({ path: folder }, {})).toThrow(/it is a folder/);
    expect(messageOf({ models }, { PORT: '80a' })).toMatch(/PORT.*got "80a"/);
  });

  it('names that every object inherits are ordinary names', () => {
    expect(messageOf({ models, constructor: 1 })).toContain('unknown key constructor');
    const config = loadConfig(
      { path: write({ models, deployments: { constructor: { decoding: { method: 'plain' } } } }) },
      {},
    );
    expect(config.deployments[0]?.name).toBe('constructor');
  });
});

describe('a model that is told directions', () => {
  const told = (template: string, axes: readonly string[] = ['help', 'brevity']): object => ({
    models: { large: { path: 'large', dpa: { template, axes } } },
  });
  it('keeps its template and axes', () => {
    const template = 'Be {help} and {brevity}.';
    const { directionCards } = loadConfig({ path: write(told(template)) }, {});
    expect(directionCards.get('large')).toEqual({ template, axes: ['help', 'brevity'] });
  });
  it.each([
    ['an axis without a place', told('Be {help}.'), 'no place for the axis brevity'],
    ['a place without an axis', told('{help} {brevity} {wit}'), '{wit} is no axis'],
    ['no axes', told('x', []), 'models.large.dpa.axes'],
    ['an axis twice', told('{help}', ['help', 'help']), 'models.large.dpa.axes'],
    ['an axis that is no word', told('{a b}', ['a b']), 'models.large.dpa.axes'],
  ])('%s is refused', (_, content, part) => {
    expect(messageOf(content)).toContain(part);
  });
});

describe('published forms', () => {
  const docs = join(packageDirectory(), 'docs');
  it('docs/config.schema.json is current (npx trimtab schema)', () => {
    expect(JSON.parse(readFileSync(join(docs, 'config.schema.json'), 'utf8'))).toEqual(publishedSchema());
  });
  it('docs/config.md is current (npx trimtab schema --markdown)', () => {
    expect(readFileSync(join(docs, 'config.md'), 'utf8')).toBe(referencePage());
  });
  it('the schema asks only for what has no default, and describes every key', () => {
    expect(publishedSchema()['required']).toEqual(['models']);
    for (const line of referencePage()
      .split('\n')
      .filter((text) => text.startsWith('| `'))) {
      expect(line.split(' | ').at(-1)?.length, line).toBeGreaterThan(12);
    }
  });
});

describe('small things', () => {
  it('edit distance is exact, and a suggestion must be near', () => {
    expect([
      editDistance('', ''),
      editDistance('abc', ''),
      editDistance('kitten', 'sitting'),
      editDistance('ab', 'ba'),
    ]).toEqual([0, 3, 3, 2]);
    expect(nearest('basse', ['tuned', 'base', 'reference'])).toBe('base');
    expect(nearest('Base', ['tuned', 'base'])).toBe('base');
    expect(nearest('x', ['tuned'])).toBeNull();
  });
  it('colours only on a terminal and not against NO_COLOR', () => {
    expect([
      wantsColor(true, {}),
      wantsColor(false, {}),
      wantsColor(true, { NO_COLOR: '1' }),
      wantsColor(true, { TERM: 'dumb' }),
    ]).toEqual([true, false, false, false]);
  });
});
