// trimtab doctor and trimtab models: each check by itself with what it would see on other machines, and both commands on checkpoints that
// are whole, damaged and missing.
import { spawn } from 'node:child_process';
import { cpSync, mkdtempSync, readFileSync, rmSync, truncateSync, writeFileSync } from 'node:fs';
import { once } from 'node:events';
import { createServer, type AddressInfo, type Socket } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it, vi } from 'vitest';
import { checkAdapters, checkMemory, checkNode, checkProcessor } from '../../server/cli/doctor/machine.js';
import { checkArtifacts, checkPort } from '../../server/cli/doctor/storage.js';
import { runCommandLine } from '../../server/cli/program.js';
import { packageDirectory } from '../../server/config.js';

const checkpoint = join(packageDirectory(), 'tests/goldens/llama_bias');
const folder = mkdtempSync(join(tmpdir(), 'trimtab-doctor-'));
const artifacts = join(folder, 'artifacts');
beforeAll(() => vi.stubEnv('TRIMTAB_ARTIFACTS', artifacts));
afterAll(() => {
  vi.unstubAllEnvs();
  rmSync(folder, { recursive: true });
});

async function run(...args: readonly string[]): Promise<{ code: number; out: string; err: string }> {
  let [out, err] = ['', ''];
  const code = await runCommandLine(args, { write: (text) => (out += text) }, { write: (text) => (err += text) });
  return { code, out, err };
}

const config = (name: string, document: unknown): string => {
  const path = join(folder, name);
  writeFileSync(path, JSON.stringify(document));
  return path;
};

describe('checks', () => {
  it.each([
    ['18.20.0', 'fail'],
    ['20.19.9', 'fail'],
    ['20.20.0', 'ok'],
    ['24.1.0', 'ok'],
  ])('node %s: %s', (version, status) => expect(checkNode(version).status).toBe(status));

  it('memory: too little for the weights fails, too little for full caches warns', () => {
    const gigabyte = 1e9;
    const need = { weightBytes: 4 * gigabyte, cacheBytes: 2 * gigabyte };
    expect(checkMemory(need, 4 * gigabyte, gigabyte)).toMatchObject({
      status: 'fail',
      remedy: expect.stringContaining('q4') as string,
    });
    expect(checkMemory(need, 5 * gigabyte, gigabyte)).toMatchObject({
      status: 'warn',
      remedy: expect.stringContaining('cacheBytes') as string,
    });
    expect(checkMemory(need, 7 * gigabyte, gigabyte)).toMatchObject({
      status: 'ok',
      text: expect.stringContaining('4 GB of weights') as string,
    });
  });

  it('processor: more threads than cores warns; instructions that matter are named', () => {
    const statuses = checkProcessor(4096, new Set(['avx2', 'avx512_vnni'])).map(({ name, status }) => [name, status]);
    expect(statuses).toContainEqual(['threads', 'warn']);
    expect(checkProcessor(1, new Set(['avx2'])).at(-1)?.text).toContain('no VNNI');
    expect(checkProcessor(1, new Set(['avx2', 'avx_vnni'])).at(-1)?.text).toBe('avx2, avx_vnni');
    expect(checkProcessor(1, null).at(-1)?.status).toBe('note');
    if (process.arch === 'x64') expect(checkProcessor(1, new Set()).at(-1)?.status).toBe('warn');
  });

  it('artifacts: a file in the way and too little space fail; nothing is left behind or made', async () => {
    const file = config('a-file', {});
    expect(await checkArtifacts(join(file, 'inside'), 0)).toMatchObject({
      status: 'fail',
      remedy: expect.stringContaining('TRIMTAB_ARTIFACTS') as string,
    });
    expect((await checkArtifacts(join(folder, 'new', 'deep'), 1e18)).status).toBe('fail');
    expect((await checkArtifacts(join(folder, 'new', 'deep'), 0)).status).toBe('ok');
    expect(() => readFileSync(join(folder, 'new'))).toThrow('ENOENT');
  });

  it('port: taken fails, free is ok and stays free', async () => {
    const occupant = createServer().listen(0, '127.0.0.1');
    await once(occupant, 'listening');
    const { port } = occupant.address() as { port: number };
    expect(await checkPort('127.0.0.1', port)).toMatchObject({
      status: 'fail',
      text: expect.stringContaining('another process') as string,
    });
    occupant.close();
    await once(occupant, 'close');
    expect((await checkPort('127.0.0.1', port)).status).toBe('ok');
    expect((await checkPort('127.0.0.1', port)).status).toBe('ok');
    expect((await checkPort('192.0.2.1', 8000)).status).toBe('fail');
  });

  it('adapters: none is no fault, unless a model is to run there', async () => {
    const [idle, wanted] = [await checkAdapters(false), await checkAdapters(true)];
    if (idle.status === 'ok') expect(wanted.status).toBe('ok');
    else
      expect([idle.status, wanted.status, wanted.remedy]).toEqual(['note', 'fail', expect.stringContaining('device')]);
  });
});

describe('the commands', () => {
  it('a whole checkpoint is converted, loaded and run; afterwards models knows its real size', async () => {
    const path = config('whole.json', { models: { tiny: { path: checkpoint, weights: 'q8' } }, server: { port: 0 } });
    const before = JSON.parse((await run('models', '--config', path, '--json')).out) as {
      models: { converted: boolean; parameters: number; cache_bytes_per_token: number }[];
    };
    expect(before.models[0]).toMatchObject({ name: 'tiny', converted: false, weights: 'q8', family: 'llama' });
    const { code, out, err } = await run('doctor', '--config', path);
    expect([code, err]).toEqual([0, '']);
    expect(out).toMatch(/ok {4}model tiny: llama, .* checked, loaded and run/);
    expect(out).toContain('nothing fails, 0 warnings');
    const after = JSON.parse((await run('models', '--config', path, '--json')).out) as {
      models: { converted: boolean }[];
    };
    expect(after.models[0]?.converted).toBe(true);
    expect((await run('models', '--config', path)).out).toMatch(/tiny +llama +[\d.]+ k +q8 +/);
  });

  it('a model cut short, one of the wrong kind and a bad deployment fail, each with what to do', async () => {
    const broken = join(folder, 'broken');
    cpSync(checkpoint, broken, { recursive: true });
    truncateSync(join(broken, 'model.safetensors'), 5000);
    const path = config('broken.json', {
      models: { tiny: { path: checkpoint }, broken: { path: broken }, odd: { path: checkpoint, kind: 'reward' } },
      server: { port: 0 },
    });
    const { code, out } = await run('doctor', '--config', path, '--no-load', '--json');
    expect(code).toBe(1);
    const { ok, checks } = JSON.parse(out) as {
      ok: boolean;
      checks: { name: string; status: string; text: string; remedy: string | null }[];
    };
    expect(ok).toBe(false);
    const failed = checks.filter(({ status }) => status === 'fail');
    expect(failed.map(({ name }) => name)).toEqual(['model broken', 'model odd']);
    expect(failed[0]?.text).toContain('model.safetensors');
    expect(failed[1]?.remedy).toContain('models.odd.kind');

    const deployment = { method: 'eft', base: 'tiny', tuned: 'tinny', reference: 'tiny' };
    const bad = config('bad.json', {
      models: { tiny: { path: checkpoint } },
      deployments: { d: { decoding: deployment } },
      server: { port: 0 },
    });
    const spec = await run('doctor', '--config', bad, '--no-load');
    expect(spec.code).toBe(1);
    expect(spec.out).toMatch(/FAIL {2}deployments: .*Did you mean tiny\?/);
    const listed = await run('models', '--config', bad);
    expect([listed.code, listed.err]).toEqual([1, expect.stringContaining('deployments.d.')]);
  });

  it('a configuration that cannot be read does not end the examination', async () => {
    const { code, out } = await run('doctor', '--config', join(folder, 'none.json'));
    expect(code).toBe(1);
    expect(out).toMatch(/FAIL {2}configuration: .*none\.json.*there is no such file/);
    expect(out).toContain('gpu:');
    expect(out).toContain('1 check failed');
  });

  it('measurements are programs of their own: their help, their usage errors', async () => {
    expect((await run('bench', '--only', 'nonsense')).code).toBe(2);
    expect((await run('bench', '--nonsense')).code).toBe(2);
    expect((await run('scoreboard', '--seed', 'x')).code).toBe(2);
    expect((await run('loadtest', '--json')).code).toBe(2);
    const pointer = await run('help', 'loadtest');
    expect(pointer.out).toMatch(/trimtab loadtest --help\n[^]*\$ trimtab loadtest --url/);
    const help = await run('scoreboard', '--help');
    expect([help.code, help.err]).toEqual([0, '']);
    expect(help.out).toContain('$ trimtab scoreboard --quick');
  });

  it('SIGTERM ends the program that measures too', async () => {
    // Whoever measures waits for an answer here.
    const silent = createServer();
    await once(silent.listen(0, '127.0.0.1'), 'listening');
    const asked = once(silent, 'connection') as Promise<[Socket]>;
    const { port } = silent.address() as AddressInfo;
    const cli = spawn(process.execPath, ['dist/server/cli.js', 'loadtest', '--url', `http://127.0.0.1:${port}`]);
    const [connection] = await asked;
    const left = once(connection.on('error', () => undefined).resume(), 'close');
    cli.kill('SIGTERM');
    expect(await once(cli, 'exit')).toEqual([1, null]);
    await left;
    silent.close();
  });
});
