// docs/methods has a page for every method, which names all its parameters, and the requests on the pages are requests that the server takes.
import { existsSync, readFileSync } from 'node:fs';
import { describe, expect, it } from 'vitest';
import { describeMethods } from '../../decoders/explain.js';
import { buildDecoding } from '../../decoders/spec.js';

const page = (name: string): string => readFileSync(new URL(`../../docs/methods/${name}`, import.meta.url), 'utf8');
const config = JSON.parse(readFileSync(new URL('../../trimtab.config.json', import.meta.url), 'utf8')) as {
  models: Record<string, unknown>;
  deployments: Record<string, { decoding: Record<string, unknown> }>;
};
const options = {
  models: Object.keys(config.models),
  deployments: new Map(Object.entries(config.deployments).map(([name, { decoding }]) => [name, decoding])),
  allowNegativeWeights: false,
};

/** Bodies of the curl commands. */
const requests = (text: string): Record<string, unknown>[] =>
  [...text.matchAll(/-d '(\{[^']*\})'/g)].map(([, body = '']) => JSON.parse(body) as Record<string, unknown>);

describe.each(describeMethods())('the page of $name', ({ name, parameters }) => {
  const text = page(`${name}.md`);

  it('names every parameter and no other', () => {
    const documented = text
      .slice(text.indexOf('| parameter |'))
      .split('\n\n')[0]
      ?.match(/^\| `(\w+)`/gm)
      ?.map((cell) => cell.slice(3, -1));
    expect(documented).toEqual(parameters.map((parameter) => parameter.name));
  });

  it('has a request that holds, with this method', () => {
    const bodies = requests(text);
    expect(bodies).toHaveLength(1);
    for (const { model, decoding } of bodies) {
      const own = options.deployments.get(model as string) ?? { method: 'plain', model };
      const given = decoding as Record<string, unknown>;
      expect(buildDecoding('method' in given ? given : { ...own, ...given }, options).method).toBe(name);
    }
  });

  it('is linked from the table of methods and from the front page', () => {
    expect(page('README.md')).toContain(`(${name}.md)`);
    expect(page('../../README.md')).toContain(`(docs/methods/${name}.md)`);
  });
});

it('no link on the pages is dead', () => {
  for (const name of ['README', ...describeMethods().map((method) => method.name)])
    for (const [, link = ''] of page(`${name}.md`).matchAll(/\]\(([^)#]+)\)/g))
      expect(existsSync(new URL(`../../docs/methods/${link}`, import.meta.url)), `${name}.md → ${link}`).toBe(true);
});
