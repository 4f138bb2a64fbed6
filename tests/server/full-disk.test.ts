// Disks that take no more, from the file system itself: /dev/full for the log, a limit on the size of files for what is converted.
import { spawn, spawnSync } from 'node:child_process';
import { once } from 'node:events';
import { existsSync, mkdirSync, mkdtempSync, readdirSync, rmSync, writeFileSync } from 'node:fs';
import net from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { shapes, writeCheckpoint } from '../../loadtest/bench/checkpoint.js';
import { root } from '../support/served.js';

const cli = join(root, 'dist/server/cli.js');
const admin = 'admin-0123456789abcdef';
let directory = '';

beforeAll(async () => {
  directory = mkdtempSync(join(tmpdir(), 'trimtab-full-'));
  for (const [seed, name] of ['small', 'other'].entries())
    await writeCheckpoint(shapes.tiny, join(directory, name), seed + 1);
  const config = {
    models: {
      small: { path: 'small', weights: 'f32' },
      other: { path: 'other', weights: 'f32', load: false },
    },
    runtime: { threads: 1 },
    artifactDirectory: 'artifacts',
  };
  writeFileSync(join(directory, 'trimtab.config.json'), JSON.stringify(config));
  const made = spawnSync(process.execPath, [
    cli,
    'convert',
    join(directory, 'small'),
    '--weights',
    'f32',
    '--out',
    join(directory, 'artifacts'),
  ]);
  expect(made.status, made.stderr.toString()).toBe(0);
});

afterAll(() => rmSync(directory, { recursive: true, force: true }));

async function freePort(): Promise<number> {
  const server = net.createServer().listen(0, '127.0.0.1');
  await once(server, 'listening');
  const { port } = server.address() as net.AddressInfo;
  server.close();
  await once(server, 'close');
  return port;
}

/** A server under a shell's limits and redirections; ready, with its key. */
async function serve(before: string, after: string) {
  const port = await freePort();
  const command = `${before} exec "$0" "$1" serve --config "$2" --host 127.0.0.1 --port ${port} ${after}`;
  const server = spawn('bash', ['-c', command, process.execPath, cli, join(directory, 'trimtab.config.json')], {
    env: { ...process.env, TRIMTAB_ADMIN_KEYS: admin },
    stdio: ['ignore', 'ignore', 'ignore'],
  });
  const ended = once(server, 'exit') as Promise<[number | null]>;
  const url = `http://127.0.0.1:${port}`;
  const isReady = () =>
    fetch(`${url}/ready`).then(
      (reply) => reply.status === 200,
      () => false,
    );
  while (!(await isReady())) {
    if (server.exitCode !== null) throw new Error(`the server ended with ${server.exitCode}`);
    await Promise.race([new Promise((resolve) => setTimeout(resolve, 100)), ended]);
  }
  const post = (path: string, body: object = {}) =>
    fetch(url + path, {
      method: 'POST',
      headers: { authorization: `Bearer ${admin}`, 'content-type': 'application/json' },
      body: JSON.stringify(body),
    });
  const answers = async (): Promise<number> =>
    (await post('/v1/completions', { model: 'small', prompt: [300, 301], max_tokens: 2 })).status;
  const end = async (): Promise<number | null> => {
    server.kill('SIGTERM');
    return (await ended)[0];
  };
  return { post, answers, end };
}

test('a log that cannot be written does not end the server, nor what it prints', { timeout: 60_000 }, async () => {
  const { post, answers, end } = await serve('', '>/dev/full 2>/dev/full');
  // A line of the log.
  expect((await post('/v1/admin/models/nobody/load')).status).toBe(404);
  expect((await post('/v1/admin/reload')).status).toBe(200);
  expect(await answers()).toBe(200);
  expect(await end()).toBe(0);
});

test(
  'a model that cannot be converted for want of room is a 409 with the remedy, and the server serves on',
  { timeout: 60_000 },
  async () => {
    const { post, answers, end } = await serve('ulimit -f 16;', '>/dev/null 2>/dev/null');
    const before = readdirSync(join(directory, 'artifacts'));
    const reply = await post('/v1/admin/models/other/load');
    expect(reply.status).toBe(409);
    const { error } = (await reply.json()) as { error: { code: string; message: string } };
    expect(error.code).toBe('model_load_failed');
    expect(error.message).toContain('what was served before is served on');
    expect(error.message).toMatch(
      /cannot be kept in .*EFBIG.*raise the limit \(ulimit -f\), or set artifactDirectory to another disk/,
    );
    // Nothing half made is left.
    expect(readdirSync(join(directory, 'artifacts'))).toEqual(before);
    expect(await answers()).toBe(200);
    expect(await end()).toBe(0);
  },
);

test('a folder that has no room for what was converted is left as it was', () => {
  const target = join(directory, 'out');
  const kept = { ...process.env, TRIMTAB_ARTIFACTS: join(directory, 'kept') };
  const convert = ['convert', join(directory, 'small'), '--weights', 'f32'];
  expect(spawnSync(process.execPath, [cli, ...convert], { env: kept }).status).toBe(0);
  for (const wasThere of [false, true]) {
    if (wasThere) mkdirSync(target);
    const args = ['-c', 'ulimit -f 16; exec "$0" "$@"', process.execPath, cli, ...convert, '--out', target];
    const { status, stderr } = spawnSync('bash', args, { env: kept });
    expect(stderr.toString()).toMatch(
      /^error: The converted model cannot be kept in .*out: .*EFBIG.*or give --out another disk\.\n$/,
    );
    expect(status).toBe(1);
    expect(existsSync(target)).toBe(wasThere);
    if (wasThere) expect(readdirSync(target)).toEqual([]);
  }
});

test('a benchmark that cannot write its model says so, and leaves nothing half made', () => {
  const target = join(directory, 'made-up');
  const script = join(root, 'dist/loadtest/bench/checkpoint.js');
  const args = ['-c', 'ulimit -f 16; exec "$0" "$1" tiny "$2"', process.execPath, script, target];
  const { status, stderr } = spawnSync('bash', args);
  expect(stderr.toString()).toMatch(
    /^error: .*model\.safetensors cannot be written \(EFBIG\)\. It is larger .*, and run it again\.\n$/,
  );
  expect(status).toBe(1);
  expect(readdirSync(target).filter((name) => name.startsWith('model'))).toEqual([]);
});

test('a command whose output is lost says so and fails', () => {
  const args = ['-c', 'exec "$0" "$1" schema >/dev/full', process.execPath, cli];
  const { status, stderr } = spawnSync('bash', args);
  expect(stderr.toString()).toContain('error: The output cannot be written: ENOSPC');
  expect(status).toBe(1);
});
