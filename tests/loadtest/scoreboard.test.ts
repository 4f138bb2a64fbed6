// The scoreboard around its statistics: who is refused, what is asked, what is printed and drawn. The real measurement on real weights is
// scoreboard-smoke.test.ts.
import { createHash } from 'node:crypto';
import { mkdir, mkdtemp, readdir, readFile, rm, writeFile } from 'node:fs/promises';
import http from 'node:http';
import type { AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { compare, plain } from '../../loadtest/scoreboard/arms.js';
import { askAt, remembering, type Ask, type AskOptions, type Question } from '../../loadtest/scoreboard/ask.js';
import { measureRows } from '../../loadtest/scoreboard/board.js';
import { bars, plot } from '../../loadtest/scoreboard/chart.js';
import { costOf } from '../../loadtest/scoreboard/cost.js';
import { absent, atLeast, figure, type Bench, type RowModule } from '../../loadtest/scoreboard/figure.js';
import { judgedRight } from '../../loadtest/scoreboard/judge.js';
import { readOracles } from '../../loadtest/scoreboard/oracles.js';
import { table, updated, writePage } from '../../loadtest/scoreboard/report.js';
import { fusionRow } from '../../loadtest/scoreboard/rows/fusion.js';
import { rowModules } from '../../loadtest/scoreboard/rows/index.js';
import { refuseStale } from '../../loadtest/scoreboard/stale.js';
import { loadTown } from '../../loadtest/scoreboard/town.js';

let directory: string;
beforeEach(async () => (directory = await mkdtemp(path.join(tmpdir(), 'trimtab-scoreboard-'))));
afterEach(() => rm(directory, { recursive: true, force: true }));

const town = loadTown();

describe('stale models', () => {
  const sha256 = (text: string): string => createHash('sha256').update(text).digest('hex');
  async function suite(models: Record<string, { weights: string; worldHash: string; sha256?: string }>): Promise<void> {
    for (const [name, { weights }] of Object.entries(models)) {
      await mkdir(path.join(directory, name));
      await writeFile(path.join(directory, name, 'model.safetensors'), weights);
    }
    const entries = Object.entries(models).map(([name, { weights, worldHash, sha256: said }]) => {
      return [name, { worldHash, planHash: 'p', sha256: said ?? sha256(weights) }] as const;
    });
    const manifest = { models: Object.fromEntries(entries) };
    await writeFile(path.join(directory, 'models.json'), JSON.stringify(manifest));
  }

  test('passes models of this world with their own weights', async () => {
    await suite({ large: { weights: 'w', worldHash: town.worldHash } });
    await expect(refuseStale(town.worldHash, directory)).resolves.toBeUndefined();
  });

  test('names every model of another world, with other weights, or with none', async () => {
    await suite({
      good: { weights: 'w', worldHash: 'this' },
      moved: { weights: 'w', worldHash: 'that' },
      swapped: { weights: 'w', worldHash: 'this', sha256: sha256('other') },
      gone: { weights: 'w', worldHash: 'this' },
    });
    await rm(path.join(directory, 'gone', 'model.safetensors'));
    const refusal = expect(refuseStale('this', directory)).rejects;
    await refusal.toThrow(/moved: trained on world that[^]*swapped: its weights are[^]*gone: it has no weights/);
    await expect(refuseStale('this', directory)).rejects.not.toThrow(/good:/);
  });

  test('says so where there is no list, or none that it can read', async () => {
    await expect(refuseStale('this', directory)).rejects.toThrow(/There is no .*models\.json/);
    await writeFile(path.join(directory, 'models.json'), '{"models": {"large": {}}}');
    await expect(refuseStale('this', directory)).rejects.toThrow(/is no list of models/);
  });

  test('oracles of another world, or without a task, are refused', async () => {
    const write = (world: string): Promise<void> =>
      writeFile(
        path.join(directory, 'oracles.json'),
        JSON.stringify({ world, models: { big: { planHash: 'p', outcomes: { solved: { 'units.1': 1 } } } } }),
      );
    await expect(readOracles(directory, 'this')).rejects.toThrow('There is no');
    await write('that');
    await expect(readOracles(directory, 'this')).rejects.toThrow('is of world that');
    await write('this');
    const oracles = await readOracles(directory, 'this');
    expect(oracles.column('big', 'solved', [{ id: 'units.1' }])).toEqual([1]);
    expect(() => oracles.column('big', 'solved', [{ id: 'units.2' }])).toThrow('no "solved" of big for units.2');
  });
});

describe('tasks', () => {
  test('are test tasks, the same for a seed, and a shorter choice is the beginning of a longer one', () => {
    const [few, many] = [town.facts(20, 1), town.facts(50, 1)];
    expect(many.slice(0, 20)).toEqual(few);
    expect(town.facts(20, 2)).not.toEqual(few);
    expect(new Set(many.map(({ id }) => id)).size).toBe(50);
    expect(many.every(({ split }) => split === 'test')).toBe(true);
    expect(town.facts(30, 1, 'rare').every(({ band }) => band === 'rare')).toBe(true);
    expect(town.exercises('unseen', 10, 1).every(({ skill }) => skill === 'unseen')).toBe(true);
    expect(() => town.exercises('sailing', 10, 1)).toThrow('no part "sailing"');
  });
});

const textOf = (message: Question['messages'][number] | undefined): string =>
  typeof message?.content === 'string' ? message.content : '';

/** Answers with what it was asked and how; every request is counted. */
function echo(): { readonly ask: Ask; readonly asked: AskOptions[] } {
  const asked: AskOptions[] = [];
  const all = async (questions: readonly Question[], options: AskOptions) => {
    asked.push(options);
    return questions.map(({ messages }) => ({
      text: `${options.model}: ${textOf(messages.at(-1))}`,
      ended: true,
      completionTokens: options.maxTokens ?? 8,
      forwards: { [options.model]: 10 + 3 * (options.maxTokens ?? 8) },
    }));
  };
  return { ask: { all, next: () => Promise.resolve([]) }, asked };
}

const benchOn = (ask: Ask): Bench => ({
  town,
  ask,
  timed: ask,
  timedTogether: ask,
  prompts: 4,
  seed: 1,
  suite: directory,
});

describe('measuring', () => {
  test('arms answer the same tasks, and each measure has a column per arm', async () => {
    const { ask } = echo();
    const tasks = town.facts(3, 1);
    const measured = await compare(benchOn(ask), tasks, [plain('a', 'one'), plain('b')], {
      own: (task, { text }) => Number(text.endsWith(task.messages[0]?.content ?? '?')),
      isB: (_, { text }) => Number(text.startsWith('b:')),
    });
    expect(measured).toEqual({ own: { one: [1, 1, 1], b: [1, 1, 1] }, isB: { one: [0, 0, 0], b: [1, 1, 1] } });
  });

  test('a verdict is the likelier label, of the tokens that begin with it; a tie and silence are none', async () => {
    const tasks = town.judgements(true, 40, 1).slice(0, 4);
    const wrongOf = (label: string): string => (label === 'A' ? 'B' : 'A');
    const said = tasks.map(({ label }, index) => {
      const tokens: readonly (readonly [string, number])[][] = [
        // The label in two tokens outweighs the other in one.
        [[label, Math.log(0.3)], [`${label})`, Math.log(0.3)], [wrongOf(label), Math.log(0.4)]], // prettier-ignore
        [[wrongOf(label), Math.log(0.6)], [label, Math.log(0.4)]], // prettier-ignore
        [[label, Math.log(0.5)], [wrongOf(label), Math.log(0.5)]], // prettier-ignore
        [['The', 0]],
      ];
      return new Map(tokens[index]);
    });
    const ask: Ask = { ...echo().ask, next: () => Promise.resolve(said) };
    expect(await judgedRight(ask, 'judge', tasks, town.labels)).toEqual([1, 0, 0, 0]);
  });

  test('both orders ask about the same texts', () => {
    const bare = (id: string): string => id.replace(/\.[01]$/, '');
    const [first, second] = [town.judgements(true, 30, 1), town.judgements(false, 30, 1)];
    expect(first.map(({ id }) => bare(id))).toEqual(second.map(({ id }) => bare(id)));
    expect(first.every(({ label }, index) => label !== second[index]?.label)).toBe(true);
  });

  test('what was answered once is not asked again; other options are', async () => {
    const { ask, asked } = echo();
    const memory = remembering(ask);
    const tasks = town.facts(2, 1);
    const first = await memory.all(tasks, { model: 'a', seed: 1 });
    expect(await memory.all(town.facts(2, 1), { model: 'a', seed: 1 })).toEqual(first);
    expect(asked).toHaveLength(1);
    await memory.all(tasks, { model: 'a', seed: 1, decoding: { weight: 2 } });
    expect(asked).toHaveLength(2);
  });

  test('forwards per token are those of decoding alone', async () => {
    const { ask } = echo();
    const cost = await costOf(ask, town.facts(2, 1), { model: 'a' }, 'a');
    // ten rows of prompt drop out
    expect(cost.forwardsPerToken).toBe(3);
  });

  test('a row that the server cannot run says what is missing; one that fails is named', async () => {
    const { ask } = echo();
    const row = (method: string, more: Partial<RowModule>): RowModule => ({
      method,
      claim: '',
      models: ['a'],
      decoders: ['eft'],
      measure: async () => ({ figures: [figure(method, 'f', { value: 1, interval: [1, 1] })], curves: [] }),
      ...more,
    });
    const served = { models: ['a'], methods: ['eft'] };
    const rows = [
      row('runs', {}),
      row('model', { models: ['a', 'b'] }),
      row('decoder', { decoders: ['rain'] }),
      row('later', { measure: null }),
    ];
    const { figures } = await measureRows(rows, served, benchOn(ask), () => undefined);
    expect(figures.map(({ method, value, note }) => [method, value, note])).toEqual([
      ['runs', 1, ''],
      ['model', null, 'not there yet: the server has no model b'],
      ['decoder', null, 'not there yet: the server has no method rain'],
      ['later', null, 'not there yet: it is not measured here'],
    ]);
    const failing = row('bad', { measure: () => Promise.reject(new Error('HTTP 400')) });
    await expect(measureRows([failing], served, benchOn(ask), () => undefined)).rejects.toThrow('bad: HTTP 400');
  });

  test('columns keep the order of the arms whatever their names, and a baseline without a number is left out', async () => {
    const { ask } = echo();
    const [task] = town.facts(1, 1);
    const arms = ['share 0.5', 'share 0', 'share 1'].map((name) => plain('a', name));
    const { one } = await compare(benchOn(ask), task ? [task] : [], arms, { one: () => 1 });
    expect(Object.keys(one)).toEqual(['share 0.5', 'share 0', 'share 1']);
    const made = figure('m', 'f', { value: 1, interval: [1, 1] }, { baselines: { known: 0, unknown: NaN } });
    expect(made.baselines).toEqual({ known: 0 });
  });

  test('every row has a name of its own and a claim', () => {
    const names = rowModules.map(({ method }) => method);
    expect(new Set(names).size).toBe(names.length);
    expect(rowModules.filter(({ claim }) => claim === '')).toEqual([]);
  });
});

describe('the row of fusion', () => {
  const skills = ['arithmetic', 'cipher', 'units', 'table'];
  const solutions = new Map(
    [...skills, 'unseen'].flatMap((skill) =>
      town.exercises(skill, 40, 1).map(({ messages, solution }) => [messages[0]?.content, solution.value]),
    ),
  );
  /** Every model solves a share of what it is asked, from the first exercise on. */
  const solving = (shareOf: (options: AskOptions) => number): Ask => ({
    ...echo().ask,
    all: async (questions, options) =>
      questions.map(({ messages }, index) => ({
        text: index < shareOf(options) * questions.length ? `It is ${solutions.get(textOf(messages[0]))}.` : 'Hm.',
        ended: true,
        completionTokens: 1,
        forwards: { a: options.maxTokens ?? 1 },
      })),
  });

  test('divides averages over the skills by those of the tuned models, task by task', async () => {
    const prompts = 40;
    const outcomes = (names: readonly string[], share: number): Record<string, Record<string, number>> => ({
      solved: Object.fromEntries(
        names.flatMap((skill) =>
          town.exercises(skill, prompts, 1).map(({ id }, index) => [id, Number(index < share * prompts)]),
        ),
      ),
    });
    const models = Object.fromEntries([
      ...skills.map((skill) => [`large-${skill}`, { planHash: 'p', outcomes: outcomes([skill], 0.8) }] as const),
      ['large-skills', { planHash: 'p', outcomes: outcomes(skills, 0.5) }] as const,
    ]);
    await writeFile(path.join(directory, 'oracles.json'), JSON.stringify({ world: town.worldHash, models }));
    const ask = solving(({ model, decoding = {} }) => {
      const { method, experts = [] } = decoding as { method?: string; experts?: unknown[] };
      if (method === 'fusion') return experts.length === 1 ? 0.75 : 0.4;
      if (method === 'static_fusion') return experts.length === 1 ? 0.5 : 0.45;
      return model === 'pocket' ? 0.1 : 0.6;
    });
    const { figures } = (await fusionRow.measure?.({ ...benchOn(ask), prompts })) ?? { figures: [] };
    const named = (name: string) => figures.find((made) => made.figure === name);
    const single = named('one expert ÷ tuned large model');
    expect(single?.value).toBeCloseTo(0.75 / 0.8, 9);
    expect(single).toMatchObject({ holds: false, target: '≥ 0.964' });
    expect(single?.baselines['base']).toBeCloseTo(0.1 / 0.8, 9);
    expect(single?.baselines['expert']).toBeCloseTo(0.6 / 0.8, 9);
    // Tuned models are resampled with the rest: where both fail the same exercises, the ratio hardly moves.
    const [low, high] = single?.interval ?? [0, 0];
    expect(high - low).toBeLessThan(0.12);
    expect(named('four experts ÷ large model tuned on all')?.value).toBeCloseTo(0.4 / 0.5, 9);
    expect(named('one expert, dynamic − static')).toMatchObject({ value: 0.25, holds: true });
    expect(named('four experts, dynamic − the better static')?.value).toBeCloseTo(-0.05, 9);
    expect(named('four experts, dynamic − the better static')?.holds).toBe(false);
    expect(named('unseen task, dynamic − base')?.value).toBeCloseTo(0.3, 9);
  });
});

describe('over HTTP', () => {
  let server: http.Server | null = null;
  afterEach(() => server?.close());

  async function serving(answer: (body: string) => { status: number; body: unknown }): Promise<string> {
    server = http.createServer((request, reply) => {
      let text = '';
      request.on('data', (part: Buffer) => (text += part.toString()));
      request.on('end', () => {
        const { status, body } = answer(text);
        reply.writeHead(status).end(JSON.stringify(body));
      });
    });
    await new Promise<void>((resolve) => server?.listen(0, '127.0.0.1', resolve));
    return `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
  }
  const question = (content: string): Question => ({ messages: [{ role: 'user', content }] });

  test('answers come in the order of the questions, each with its own seed, whoever is first', async () => {
    const url = await serving((text) => {
      const { messages, seed } = JSON.parse(text) as { messages: { content: string }[]; seed: number };
      return {
        status: 200,
        body: {
          choices: [{ message: { content: `${messages[0]?.content} ${seed}` }, finish_reason: 'length' }],
          usage: { completion_tokens: 2 },
          decoding: { forwards: { m: 5 } },
        },
      };
    });
    let answers = 0;
    const ask = askAt(url, 3, () => answers++);
    const replies = await ask.all(['a', 'b', 'c', 'd', 'e'].map(question), { model: 'm', seed: 10 });
    expect(replies.map(({ text }) => text)).toEqual(['a 10', 'b 11', 'c 12', 'd 13', 'e 14']);
    expect(replies[0]).toMatchObject({ ended: false, completionTokens: 2, forwards: { m: 5 } });
    expect(answers).toBe(5);
  });

  test('a refusal has the server’s words, and an answer of something else is none', async () => {
    const refusing = await serving(() => ({ status: 400, body: { error: { message: 'no model m' } } }));
    await expect(askAt(refusing, 1, () => undefined).all([question('a')], { model: 'm', seed: 1 })).rejects.toThrow(
      /HTTP 400: .*no model m/,
    );
    server?.close();
    const other = await serving(() => ({ status: 200, body: { choices: [] } }));
    await expect(askAt(other, 1, () => undefined).all([question('a')], { model: 'm', seed: 1 })).rejects.toThrow(
      'not an answer of this API',
    );
  });
});

describe('what is shown', () => {
  const figures = [
    figure(
      'eft',
      'facts <right> & "so on"',
      { value: 0.82, interval: [0.78, 0.86] },
      {
        baselines: { 'small chat': 0.4, worse: -0.1 },
        target: atLeast(0.8),
        cost: { forwardsPerToken: 3, timeRatio: 1.5 },
        note: 'by hand',
      },
    ),
    figure('eft', 'helpfulness', { value: 0.5, interval: [0.4, 0.6] }, { target: atLeast(0.9) }),
    absent('rain', 'not there yet'),
  ];
  const curve = {
    method: 'eft',
    title: 'A front',
    x: 'helpfulness',
    y: 'verbosity',
    points: [1, 2, 3].map((n) => ({ x: n, y: n * n, label: `${n}°`, group: n < 3 ? 'dpa' : 'scalar' })),
  };

  test('the table has a line per figure, with the verdict', () => {
    const lines = table(figures).split('\n');
    expect(lines).toHaveLength(2 + figures.length);
    expect(lines[2]).toContain(
      '| 0.820 | 0.780 – 0.860 | small chat 0.400, worse -0.100 | ≥ 0.8 | yes | 3.00 | 1.50 |',
    );
    expect(lines[3]).toContain('**no**');
    expect(lines[4]).toContain('not there yet');
    const cells = lines.map((line) => line.split('|').length);
    expect(new Set(cells).size).toBe(1);
  });

  /** Tags close in the order in which they open, and text holds no bare < or &. */
  function expectWellFormed(svg: string): void {
    const open: string[] = [];
    let rest = svg;
    for (const [tag, closing, name, , closed] of svg.matchAll(/<(\/?)([a-z]+)((?: [\w:-]+="[^"<]*")*)(\/?)>/g)) {
      rest = rest.replace(tag, '');
      if (closing === '/') expect(open.pop()).toBe(name);
      else if (closed === '' && name !== undefined) open.push(name);
    }
    expect(open).toEqual([]);
    expect(rest).not.toMatch(/[<>]|&(?!amp;|lt;|gt;|quot;)/);
    expect(svg).not.toMatch(/NaN|Infinity|undefined/);
    expect(svg.startsWith('<svg xmlns="http://www.w3.org/2000/svg"')).toBe(true);
  }

  test('pictures are well-formed, with every figure, baseline and point', () => {
    const picture = bars('eft', figures);
    expectWellFormed(picture);
    expect(picture.match(/<rect/g)).toHaveLength(4);
    const front = plot(curve);
    expectWellFormed(front);
    expect(front.match(/<circle/g)).toHaveLength(3);
    expect(front.match(/<polyline/g)).toHaveLength(2);
    // One point alone has no spread to divide by.
    expectWellFormed(plot({ ...curve, points: curve.points.slice(0, 1) }));
  });

  test('the page, its pictures and its document name each other', async () => {
    const board = { world: town.worldHash, seed: 1, rows: figures };
    await writePage(directory, { board, curves: [curve], claims: { eft: 'the claim' }, prompts: 300 });
    const files = ['README.md', 'a-front.svg', 'curves.json', 'eft.svg', 'scoreboard.json'];
    expect((await readdir(directory)).sort()).toEqual(files);
    const page = await readFile(path.join(directory, 'README.md'), 'utf8');
    for (const part of [
      'the claim',
      '(eft.svg)',
      '(a-front.svg)',
      'by hand',
      'not there yet',
      'up to 300 test prompts',
    ])
      expect(page).toContain(part);
    const written: unknown = JSON.parse(await readFile(path.join(directory, 'scoreboard.json'), 'utf8'));
    expect(written).toEqual(board);
  });

  test('one method measured again replaces its own rows and curves, in the order of the table', async () => {
    const [old] = figures;
    if (!old) throw new Error('there is a figure');
    const row = (method: string, value: number) => ({ ...old, method, value });
    const board = { world: town.worldHash, seed: 1, rows: [row('eft', 1), row('eft', 2), row('dpa', 3)] };
    const front = { ...curve, method: 'dpa' };
    await writePage(directory, { board, curves: [{ ...curve, method: 'eft' }, front], claims: {}, prompts: 300 });
    const fresh = { board: { ...board, rows: [row('eft', 4)] }, curves: [] };
    const page = await updated(directory, fresh, ['dpa', 'eft']);
    expect(page.board.rows.map(({ method, value }) => [method, value])).toEqual([
      ['dpa', 3],
      ['eft', 4],
    ]);
    expect(page.curves).toEqual([front]);
    const other = { ...fresh, board: { ...fresh.board, world: 'another' } };
    await expect(updated(directory, other, ['dpa', 'eft'])).rejects.toThrow('another world or seed');
  });
});
