// The command line as a user types it: output and exit codes of every command in this process, and the built program in a process of
// its own where signals and ports count. Works on one of the tiny checkpoints with known logits.
import { spawn, type ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { existsSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it, vi } from 'vitest';
import { runCommandLine } from '../../server/cli/program.js';
import { packageDirectory } from '../../server/config.js';
import { publishedSchema } from '../../server/config/document.js';

const program = join(packageDirectory(), 'dist/server/cli.js');
const checkpoint = join(packageDirectory(), 'tests/goldens/llama_bias');
const golden = JSON.parse(readFileSync(join(checkpoint, 'golden.json'), 'utf8')) as {
  readonly inputs: readonly (readonly number[])[];
  readonly logits: readonly (readonly (readonly number[])[])[];
  readonly greedy: readonly (readonly number[])[];
};
const folder = mkdtempSync(join(tmpdir(), 'trimtab-cli-'));
afterAll(() => rmSync(folder, { recursive: true }));

const artifacts = join(folder, 'artifacts');
beforeAll(() => {
  vi.stubEnv('TRIMTAB_ARTIFACTS', artifacts);
  vi.stubEnv('TRIMTAB_CONFIG', join(packageDirectory(), 'trimtab.config.json'));
});
afterAll(() => vi.unstubAllEnvs());

interface Finished {
  readonly code: number;
  readonly out: string;
  readonly err: string;
}

async function run(...args: readonly string[]): Promise<Finished> {
  let [out, err] = ['', ''];
  const code = await runCommandLine(
    args,
    { write: (text) => (out += text), columns: 100 },
    { write: (text) => (err += text), columns: 100 },
  );
  return { code, out, err };
}

const start = (...args: readonly string[]): ChildProcess =>
  spawn(process.execPath, [program, ...args], {
    cwd: folder,
    env: { PATH: process.env['PATH'], TRIMTAB_ARTIFACTS: artifacts },
    stdio: 'pipe',
  });

/** Resolves with everything printed so far once `part` is there. */
async function printed(child: ChildProcess, part: string): Promise<string> {
  let out = '';
  for await (const chunk of child.stdout ?? []) {
    out += String(chunk);
    if (out.includes(part)) return out;
  }
  throw new Error(`ended without printing ${part}: ${out}`);
}

const spec = (content: unknown): string => {
  const path = join(folder, 'spec.json');
  writeFileSync(path, JSON.stringify(content));
  return path;
};

describe('help and usage', () => {
  it('the built program runs by itself', async () => {
    const child = start('version');
    const finished = once(child, 'exit') as Promise<[number]>;
    expect(await printed(child, '\n')).toMatch(/^\d+\.\d+\.\d+/);
    expect((await finished)[0]).toBe(0);
  });
  it('the help names every command, with examples', async () => {
    const { code, out, err } = await run('--help');
    expect([code, err]).toEqual([0, '']);
    for (const word of ['serve', 'convert', 'logits', 'explain', 'schema', 'version', '$ trimtab serve']) {
      expect(out).toContain(word);
    }
    const serve = await run('serve', '--help');
    expect(serve.code).toBe(0);
    for (const word of ['--port', '--config', '--model', '--weights', '--threads', 'Examples'])
      expect(serve.out).toContain(word);
  });
  it('prints its version', async () => {
    const { version } = JSON.parse(readFileSync(join(packageDirectory(), 'package.json'), 'utf8')) as {
      version: string;
    };
    expect(await run('version')).toEqual({ code: 0, out: `${version}\n`, err: '' });
    expect((await run('--version')).out).toBe(`${version}\n`);
  });
  it.each([
    [[], 'Usage: trimtab'],
    [['srve'], 'Did you mean serve?'],
    [['serve', '--port', '80a'], 'whole number from 0 to 65535'],
    [['serve', '--model', 'x'], 'NAME=FOLDER'],
    [['serve', '--model', 'x=a', '--config', 'y'], 'cannot be used with'],
    [['convert', 'x'], '--weights'],
    [['convert', 'x', '--weights', 'int4'], 'q8'],
    [['convert', 'x', '--weights', 'q4', '--block', '48'], '16, 32, 64'],
    [['logits', 'x', '--ids', '1,a'], 'separated by commas'],
    [['logits', 'x'], '--ids'],
  ])('wrong usage %j is exit code 2 with the reason', async (args, part) => {
    const { code, out, err } = await run(...args);
    expect([code, out]).toEqual([2, '']);
    expect(err).toContain(part);
    expect(err).not.toContain('    at ');
  });
});

describe('explain and schema', () => {
  const eft = { method: 'eft', base: 'large', tuned: 'small-chat', reference: 'small', weight: 1.5 };
  it('explains a spec without any model', async () => {
    const { code, out, err } = await run('explain', spec(eft));
    expect([code, err]).toEqual([0, '']);
    for (const part of [
      'large + 1.5·(small-chat − small)',
      '3 (large 1, small-chat 1, small 1)',
      'Not configured here',
    ]) {
      expect(out).toContain(part);
    }
  });
  it('as JSON, and with the graph', async () => {
    const { out } = await run('explain', spec({ decoding: eft }), '--json', '--graph');
    const facts = JSON.parse(out) as Record<string, unknown>;
    expect(facts).toMatchObject({
      method: { name: 'eft' },
      formula: 'large + 1.5·(small-chat − small)',
      forwards_per_token: { large: 1, 'small-chat': 1, small: 1 },
      effective: { ...eft, form: 'proxy' },
    });
    expect(facts['graph']).toMatch(/\w/);
  });
  it('explains a method by its name', async () => {
    const { code, out } = await run('explain', 'fusion');
    expect(code).toBe(0);
    for (const part of ['arXiv:2406.15480', 'bounds', 'default 2', 'required']) expect(out).toContain(part);
  });
  it('explains the deployments in the box', async () => {
    const { code, out } = await run('explain', 'pocket-eft');
    expect(code).toBe(0);
    expect(out).toContain('pocket + 0.6·(pocket-chat − pocket-small)');
    expect(out).not.toContain('Not configured here');
  });
  it.each([
    [{ ...eft, wieght: 1 }, ['decoding.wieght', 'Did you mean weight?']],
    [{ method: 'etf' }, ['decoding.method', '"etf"', '"eft"']],
  ])('names the mistake in %j', async (content, parts) => {
    const { code, err } = await run('explain', spec(content));
    expect(code).toBe(1);
    expect(err.trimEnd().split('\n')).toHaveLength(1);
    for (const part of parts) expect(err).toContain(part);
  });
  it('a target that is nothing lists what there is', async () => {
    const { code, err } = await run('explain', 'pocket-etf');
    expect(code).toBe(1);
    expect(err).toContain('Did you mean pocket-eft?');
  });
  it('prints the schema of the configuration', async () => {
    expect(JSON.parse((await run('schema')).out)).toEqual(publishedSchema());
  });
});

describe('convert and logits', () => {
  it('logits match the reference, position by position, and the greedy continuation too', async () => {
    for (const [i, ids] of golden.inputs.entries()) {
      const { code, out, err } = await run('logits', checkpoint, '--ids', ids.join(','), '--greedy', '12', '--json');
      expect([code, err]).toEqual([0, '']);
      const result = JSON.parse(out) as { logits: number[][]; greedy: number[] };
      const expected = golden.logits[i] ?? [];
      expect(result.logits).toHaveLength(ids.length);
      const wrong = result.logits.flatMap((row, position) => {
        expect(row).toHaveLength(expected[position]?.length ?? 0);
        return row.filter((score, id) => !(Math.abs(score - (expected[position]?.[id] ?? NaN)) <= 2e-4));
      });
      expect(wrong).toEqual([]);
      expect(result.greedy).toEqual(golden.greedy[i]);
    }
  });
  it('prints for people without --json', async () => {
    const { out } = await run('logits', checkpoint, '--ids', '1,2', '--greedy', '2');
    expect(out).toMatch(/^after 1 {2}\d+: .*\nafter 2 {2}\d+: .*\ngreedy: \d+,\d+\n$/);
  });
  it.each([
    [['logits', checkpoint, '--ids', '1,99999'], '99999'],
    [['logits', checkpoint, '--ids', '1', '--greedy', '999999'], 'context'],
    [['logits', join(folder, 'gone'), '--ids', '1'], 'gone'],
    [['convert', folder, '--weights', 'q4'], 'config.json'],
  ])('%j fails with one line that names it', async (args, part) => {
    const { code, out, err } = await run(...args);
    expect([code, out]).toEqual([1, '']);
    expect(err.trimEnd().split('\n')).toHaveLength(1);
    expect(err).toContain(part);
  });
  it('convert writes an artifact once, and a copy where it is asked to', async () => {
    const first = await run('convert', checkpoint, '--weights', 'q8');
    expect(first.code).toBe(0);
    const directory = first.out.split('\n')[0] ?? '';
    expect(existsSync(join(directory, 'model.onnx'))).toBe(true);
    const second = await run('convert', checkpoint, '--weights', 'q8');
    expect(second.out.split('\n')[0]).toBe(directory);
    const out = join(folder, 'out');
    expect((await run('convert', checkpoint, '--weights', 'q8', '--out', out)).out.split('\n')[0]).toBe(out);
    expect(readdirSync(out).sort()).toEqual(readdirSync(directory).sort());
    const again = await run('convert', checkpoint, '--weights', 'q8', '--out', out);
    expect([again.code, again.err]).toEqual([1, expect.stringContaining(out)]);
  });
});

describe('serve', () => {
  it('listens, becomes ready, says how to ask, and drains on SIGTERM', async () => {
    const child = start('serve', '--model', `tiny=${checkpoint}`, '--port', '0');
    const finished = once(child, 'exit') as Promise<[number | null, string | null]>;
    const banner = await printed(child, 'Metrics:');
    const url = /http:\/\/127\.0\.0\.1:\d+/.exec(banner)?.[0] ?? '';
    expect(banner).toContain('ready in');
    expect(banner).toContain('curl -N');
    expect((await fetch(`${url}/ready`)).status).toBe(200);
    const models = (await (await fetch(`${url}/v1/models`)).json()) as { data: { id: string }[] };
    expect(models.data.map(({ id }) => id)).toEqual(['tiny']);
    const answer = await fetch(`${url}/v1/completions`, {
      method: 'POST',
      headers: { 'content-type': 'application/json' },
      body: JSON.stringify({
        model: 'tiny',
        prompt: golden.inputs[1],
        max_tokens: 12,
        temperature: 0,
        ignore_eos: true,
        return_token_ids: true,
      }),
    });
    const body = (await answer.json()) as { choices: { token_ids: number[] }[] };
    expect(body.choices[0]?.token_ids).toEqual(golden.greedy[1]);
    child.kill('SIGTERM');
    expect(await finished).toEqual([0, null]);
  });

  it('promises no more context than the cache budget holds', async () => {
    const config = join(folder, 'small-cache.json');
    const bytesPerToken = 2 * 2 * 2 * 16 * 4; // layers, keys and values, heads, width, float32
    writeFileSync(
      config,
      JSON.stringify({ models: { tiny: { path: checkpoint } }, limits: { cacheBytes: 100 * bytesPerToken } }),
    );
    const child = start('serve', '--config', config, '--port', '0');
    const finished = once(child, 'exit');
    const url = /http:\/\/[\d.:]+/.exec(await printed(child, 'Metrics:'))?.[0] ?? '';
    const complete = async (body: object): Promise<{ usage?: object; error?: { message: string } }> => {
      const reply = await fetch(`${url}/v1/chat/completions`, {
        method: 'POST',
        headers: { 'content-type': 'application/json' },
        body: JSON.stringify({ model: 'tiny', ignore_eos: true, messages: [{ role: 'user', content: 'a' }], ...body }),
      });
      return (await reply.json()) as { usage?: object; error?: { message: string } };
    };
    expect((await complete({})).usage).toMatchObject({ total_tokens: 100 });
    expect((await complete({ max_tokens: 100 })).error?.message).toContain('holds 100');
    child.kill('SIGTERM');
    await finished;
  });

  it('a port in use, a bad deployment and a missing file stop the start with one line', async () => {
    const occupant = createServer().listen(0, '127.0.0.1');
    await once(occupant, 'listening');
    const { port } = occupant.address() as { port: number };
    const taken = await run('serve', '--model', `tiny=${checkpoint}`, '--port', String(port));
    occupant.close();
    expect([taken.code, taken.out]).toEqual([1, '']);
    expect(taken.err).toContain(`127.0.0.1:${port}: another process uses it`);

    const config = join(folder, 'bad.json');
    writeFileSync(
      config,
      JSON.stringify({
        models: { tiny: { path: checkpoint } },
        deployments: { d: { decoding: { method: 'eft', base: 'tiny', tuned: 'tinny', reference: 'tiny' } } },
      }),
    );
    const bad = await run('serve', '--config', config, '--port', '0');
    expect(bad.code).toBe(1);
    expect(bad.err).toContain('deployments.d.decoding.tuned');
    expect(bad.err).toContain('Did you mean tiny?');
    expect((await run('serve', '--config', join(folder, 'none.json'))).err).toContain('there is no such file');
  });
});
