// docs/methods has a page for every method, which names all its parameters, and the requests on the pages are requests that the server takes.
import { existsSync, readFileSync } from 'node:fs';
import { describe, expect, it } from 'vitest';
import { describeMethods, describeScorers } from '../../decoders/explain.js';
import { buildDecoding } from '../../decoders/spec.js';

const page = (name: string): string => readFileSync(new URL(`../../docs/methods/${name}`, import.meta.url), 'utf8');
const config = JSON.parse(readFileSync(new URL('../../trimtab.config.json', import.meta.url), 'utf8')) as {
  models: Record<string, { path: string; kind?: string }>;
  deployments: Record<string, { decoding: Record<string, unknown> }>;
};
/** A reward model's heads stand in its checkpoint. */
const rewardModels = new Map(
  Object.entries(config.models)
    .filter(([, { kind }]) => kind === 'reward')
    .map(([name, { path }]) => {
      const checkpoint = readFileSync(new URL(`../../${path}/config.json`, import.meta.url), 'utf8');
      const { id2label } = JSON.parse(checkpoint) as { id2label: Record<string, string> };
      return [name, { heads: Object.values(id2label), statistics: null }];
    }),
);
const options = {
  models: Object.keys(config.models).filter((name) => !rewardModels.has(name)),
  rewardModels,
  deployments: new Map(Object.entries(config.deployments).map(([name, { decoding }]) => [name, decoding])),
  allowNegativeWeights: false,
};

/** Bodies of the curl commands. */
const requests = (text: string): Record<string, unknown>[] =>
  [...text.matchAll(/-d '(\{[^']*\})'/g)].map(([, body = '']) => JSON.parse(body) as Record<string, unknown>);

/** Names of each table of parameters on the page. */
const tables = (text: string): string[][] =>
  text
    .split('| parameter |')
    .slice(1)
    .map((rest) => (rest.split('\n\n')[0]?.match(/^\| `(\w+)`/gm) ?? []).map((cell) => cell.slice(3, -1)));

describe.each(describeMethods())('the page of $name, a $kind', ({ name, kind, parameters }) => {
  it('names every parameter and no other', () => {
    expect(tables(page(`${name}.md`))).toContainEqual(parameters.map((parameter) => parameter.name));
  });

  it('has a request that holds, with this method', () => {
    const bodies = requests(page(`${name}.md`)).filter(({ model, decoding }) => {
      const own = options.deployments.get(model as string) ?? { method: 'plain', model };
      const given = decoding as Record<string, unknown>;
      const { method, search } = buildDecoding('method' in given ? given : { ...own, ...given }, options);
      expect(method).toBe(name);
      return (search === null ? 'distribution' : 'search') === kind;
    });
    expect(bodies).toHaveLength(1);
  });

  it('is linked from the table of methods and from the front page', () => {
    expect(page('README.md')).toContain(`(${name}.md)`);
    expect(page('../../README.md')).toContain(`(docs/methods/${name}.md)`);
  });
});

describe('the page of scorers', () => {
  const text = page('scorers.md');

  it.each(describeScorers())('names every parameter of $name, or the page that does', ({ name, parameters }) => {
    const section = text.split('\n## ').find((part) => part.startsWith(`${name}\n`)) ?? '';
    const own = parameters.map((parameter) => parameter.name);
    if (name !== 'self_evaluation') expect(tables(section)).toEqual([own]);
    else expect(tables(page('rain.md'))).toContainEqual(own);
  });

  it('shows scorers that hold', () => {
    const examples = [...text.matchAll(/^\{"(?:kind|method)".*\}$/gm)].map(([json]) => JSON.parse(json) as object);
    expect(examples.length).toBeGreaterThan(5);
    for (const example of examples) {
      const spec = 'method' in example ? example : { method: 'best_of_n', inner: 'pocket', scorer: example };
      expect(buildDecoding(spec, options).search).not.toBeNull();
    }
  });
});

it('no link on the pages is dead', () => {
  for (const name of ['README', 'scorers', ...describeMethods().map((method) => method.name)])
    for (const [, link = ''] of page(`${name}.md`).matchAll(/\]\(([^)#]+)\)/g))
      expect(existsSync(new URL(`../../docs/methods/${link}`, import.meta.url)), `${name}.md → ${link}`).toBe(true);
});
