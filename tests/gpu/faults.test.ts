// A device that is lost, full, missing, or asked for what it cannot do. Loss and want of memory come from the Vulkan driver itself: a driver
// around the driver (tests/support/vulkan-fault.c) says once what a GPU says, and the server as a user starts it has to live on.
import { execFileSync, spawnSync } from 'node:child_process';
import { existsSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { afterAll, afterEach, beforeEach, describe, expect, it } from 'vitest';
import { linear, logits } from '../../decoders/expr.js';
import { NO_EDITS } from '../../decoders/warp.js';
import { type Bank, Banks, disposeBank } from '../../kernels/decoder/banks.js';
import { GraphBuilder } from '../../kernels/graph.js';
import { LogitKernels } from '../../kernels/logits/kernels.js';
import * as ops from '../../kernels/ops.js';
import { encodeModel } from '../../kernels/proto.js';
import { createSession } from '../../kernels/session.js';
import { lackingOperators, namingOperators, OperatorsMissing } from '../../kernels/webgpu/lacking.js';
import { Transfer } from '../../kernels/webgpu/transfer.js';
import { explained } from '../../server/engine/device.js';
import { root, serve, type Served, start } from '../support/served.js';

const folder = mkdtempSync(path.join(tmpdir(), 'trimtab-faults-'));
const faultFile = path.join(folder, 'fault');
afterAll(() => rmSync(folder, { recursive: true }));

function configFor(device: string): string {
  const file = path.join(folder, `${device}.json`);
  const models = { small: { path: path.join(root, 'models/pocket/small'), device } };
  writeFileSync(file, JSON.stringify({ models, limits: { prefixCacheBytes: 0 } }));
  return file;
}

/** The environment with the failing driver; null where it cannot be made. */
function failingDriver(): Record<string, string> | null {
  const manifest = (process.env['VK_DRIVER_FILES'] ?? process.env['VK_ICD_FILENAMES'])?.split(path.delimiter)[0];
  if (manifest === undefined || !existsSync(manifest) || spawnSync('cc', ['--version']).status !== 0) return null;
  const { ICD } = JSON.parse(readFileSync(manifest, 'utf8')) as { ICD: { library_path: string; api_version: string } };
  const library = path.join(folder, 'libfault.so');
  execFileSync('cc', [
    '-shared',
    '-fPIC',
    '-w',
    '-o',
    library,
    path.join(root, 'tests/support/vulkan-fault.c'),
    '-ldl',
  ]);
  const own = path.join(folder, 'fault.json');
  writeFileSync(
    own,
    JSON.stringify({ file_format_version: '1.0.0', ICD: { library_path: library, api_version: ICD.api_version } }),
  );
  const { library_path: real } = ICD;
  return {
    VK_ICD_FILENAMES: own,
    VK_DRIVER_FILES: own,
    TRIMTAB_FAULT_FILE: faultFile,
    TRIMTAB_FAULT_DRIVER: real.includes('/') ? path.resolve(path.dirname(manifest), real) : real,
  };
}

const failing = failingDriver();
if (!failing)
  console.warn('NO C COMPILER, OR NO MANIFEST NAMED IN VK_ICD_FILENAMES: A DEVICE THAT IS LOST IS NOT TESTED');

// A server each, for on a software GPU (that of CI) nothing bounds what a shader reads: after an allocation that failed, one that reads a
// garbage index may end the process, in about one of ten runs (docs/gpu.md).
describe.skipIf(!failing)('a device that fails while it decodes', { retry: 3, timeout: 300_000 }, () => {
  let server: Served;
  beforeEach(async () => {
    rmSync(faultFile, { force: true });
    server = await serve(['--config', configFor('webgpu')], failing ?? {});
  }, 300_000);
  afterEach(() => server.stop());

  const post = (body: object): Promise<Response> =>
    fetch(`${server.url}/v1/completions`, {
      method: 'POST',
      headers: { 'content-type': 'application/json' },
      body: JSON.stringify({ model: 'small', temperature: 0, ...body }),
    });
  const short = { prompt: 'The harbour', max_tokens: 6 };
  const long = { prompt: 'The harbour', max_tokens: 300, ignore_eos: true };

  async function answer(): Promise<string> {
    const response = await post(short);
    const body = await response.text();
    expect(response.status, body).toBe(200);
    return (JSON.parse(body) as { choices: [{ text: string }] }).choices[0].text;
  }

  /** Decodes while the driver fails as told. Returns the rest of the stream, and what a request got that came after the fault. */
  async function failed(kind: 'lost' | 'full'): Promise<{ readonly rest: string; readonly refusal: string }> {
    const streamed = await post({ ...long, stream: true });
    const reader = (streamed.body as ReadableStream<Uint8Array>).getReader();
    // It runs.
    expect(new TextDecoder().decode((await reader.read()).value)).toContain('data:');
    writeFileSync(faultFile, kind);
    const other = post(long);
    let rest = '';
    for (let part = await reader.read(); !part.done; part = await reader.read())
      rest += new TextDecoder().decode(part.value);
    // The driver has said it, once.
    if (kind === 'lost') expect(existsSync(faultFile)).toBe(false);
    // The device is well again before the models are loaded anew.
    rmSync(faultFile, { force: true });
    const { error } = (await (await other).json()) as { error: { code: string } };
    return { rest, refusal: error.code };
  }

  it.each([
    ['lost', 'device_lost', /\[Device\] is lost.*Try again in 5 s/],
    ['full', 'device_full', /The GPU ran out of memory while decoding: .*lower limits\.cacheBytes/],
  ] as const)('%s: what runs fails with a retryable error, and the server serves again', async (kind, code, told) => {
    const before = await answer();
    const { rest, refusal } = await failed(kind);
    expect(rest).toContain(`"${code}"`);
    expect(rest).toMatch(told);
    // Admitted before the thread ended, or after.
    expect([code, 'not_ready']).toContain(refusal);
    await expect
      .poll(async () => (await fetch(`${server.url}/ready`)).status, { timeout: 200_000, interval: 500 })
      .toBe(200);
    expect(await answer()).toBe(before);
    expect(server.process.exitCode).toBeNull();
  });
});

describe('without an adapter', () => {
  const nowhere = { VK_ICD_FILENAMES: '/nowhere.json', VK_DRIVER_FILES: '/nowhere.json' };

  it('a model that insists on one ends the start with the remedy', async () => {
    const server = await start(['--config', configFor('webgpu')], nowhere);
    expect((await server.ended).code).toBe(1);
    expect(server.output()).toMatch(/No GPU adapter was found: .*Install a Vulkan driver/);
    await server.stop();
  }, 120_000);

  it('"auto" takes the CPU and says so', async () => {
    const server = await serve(['--config', configFor('auto')], nowhere);
    expect(server.output()).toContain('on the CPU');
    expect((await fetch(`${server.url}/ready`)).status).toBe(200);
    await server.stop();
  }, 120_000);
});

describe('an operator that the device lacks', () => {
  it('is named, with the types of its operands', async () => {
    const g = new GraphBuilder('half of it is lacking');
    const x = g.input('x', 'float32', ['N']);
    g.output('there', ops.Add(x, 1));
    g.output('lacking', ops.IsNaN(x));
    g.output('wide', ops.Cast(ops.Mul(ops.Cast(x, 'float64'), 2), 'float32'));
    const graph = g.finish();
    const refused = await createSession(encodeModel(graph, null).bytes, { threads: 1, device: 'webgpu' }).catch(
      (error: unknown) => error,
    );
    const named = await namingOperators(refused, graph);
    expect(named).toBeInstanceOf(OperatorsMissing);
    const { operators } = named as OperatorsMissing;
    expect(operators).toContain('IsNaN(float32)');
    expect(operators).toContain('Mul(float64, float64)');
    expect(operators.filter((operator) => operator.startsWith('Add'))).toEqual([]);
    expect(explained(named, 'large')).toMatchObject({
      data: {
        code: 'device_operator',
        message: expect.stringMatching(/large needs: .*IsNaN\(float32\).*"device": "cpu"/) as string,
      },
    });
  });

  it('is not invented where all are there', async () => {
    const g = new GraphBuilder('all there');
    g.output('there', ops.Softmax(g.input('x', 'float32', ['N', 4])));
    expect(await lackingOperators(g.finish())).toEqual([]);
  });
});

describe('memory', () => {
  it('a bank that no GPU has room for is an error that says what to lower, and the next one is made', async () => {
    const transfer = new Transfer();
    const banks = new Banks([{ kvHeads: 1, headDim: 1 << 12 }], 'float32', transfer);
    let refused: unknown = null;
    // A software GPU refuses 2 GiB, others more.
    for (let slots = 1 << 16; refused === null && slots <= 1 << 24; slots *= 4) {
      const made = await banks.empty(1, slots).catch((error: unknown) => error);
      if (made instanceof Error) refused = made;
      else disposeBank(made as Bank);
    }
    expect(explained(refused, 'large')).toMatchObject({
      data: { code: 'device_memory', message: expect.stringContaining('lower limits.cacheBytes') as string },
    });
    const bank = await banks.empty(1, 64);
    expect(bank.keys[0]!.location).toBe('gpu-buffer');
    disposeBank(bank);
    await banks.release();
    await transfer.release();
  });
});

it('NaN on the device is found row by row, and the neighbours do not notice', async () => {
  const kernels = new LogitKernels({ threads: 1, device: 'webgpu' });
  const rows = [
    [1, 2, 3, 0],
    [1, NaN, 3, 0],
    [1, Infinity, -Infinity, 0],
    [4, 2, 3, 0],
  ];
  const data = Float32Array.from(rows.flat());
  const view = { logits: { data, rows: rows.length, width: 4 }, rowIndex: null };
  const sampler = { temperature: 0, topK: 0, topP: 1, minP: 0, uniform: 0, forcedId: null, edits: NO_EDITS };
  const { status, ids } = await kernels.run({
    distribution: rows.map(() =>
      linear([
        [1, logits('a')],
        [0.5, logits('b')],
      ]),
    ),
    views: [view, view],
    vocabSize: 4,
    rows: rows.map(() => sampler),
    logprobs: false,
    topLogprobs: 0,
    full: false,
  });
  expect([...status]).toEqual([0, 2, 2, 0]);
  expect([ids[0], ids[3]]).toEqual([2, 0]);
  await kernels.release();
});
