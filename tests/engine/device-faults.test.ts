// What the GPU's failures are called: the provider's own words (onnxruntime 1.30 over Dawn, met with drivers made to fail) → the error table.
// The failures themselves are in tests/gpu/faults.test.ts.
import path from 'node:path';
import { describe, expect, it } from 'vitest';
import { AppError } from '../../server/errors.js';
import { explained, fatal, refuseModel, refuseWeights } from '../../server/engine/device.js';
import type { ModelSettings } from '../../server/engine/messages.js';
import type { Kernels } from '../../server/engine/fuse.js';
import { drain, eft, expectNaive, makeEngine, request } from '../support/toy-engine.js';
import { root } from '../support/served.js';
import { twinKernels } from '../support/twin-kernels.js';
import { OperatorsMissing } from '../../kernels/webgpu/lacking.js';

const where = '/src/core/providers/webgpu/buffer_manager.cc:641 void Download(WGPUBuffer, void*, size_t) const ';
const lost = `${where}map_async_result.status == wgpu::MapAsyncStatus::Success was false. Failed to download data from buffer. wgpu::MapAsyncStatus value: 4, message: [Device] is lost.`;
const full = `${where}map_async_result.status == wgpu::MapAsyncStatus::Success was false. Failed to download data from buffer. wgpu::MapAsyncStatus value: 3, message: [Invalid Buffer (unlabeled)] is invalid due to a previous error.`;

const thrown = (action: () => void): unknown => {
  try {
    return action();
  } catch (error) {
    return error;
  }
};

const codeOf = (error: unknown): string => (error instanceof AppError ? error.data.code : 'unchanged');

describe('failures of the device', () => {
  it.each([
    [lost, 'device_lost', 'device_lost'],
    ['Failed to wait for the operation:1', 'device_lost', 'device_lost'],
    [full, 'device_memory', 'device_full'],
    [
      'WebGPU validation failed. [Invalid Buffer (unlabeled)] is invalid due to a previous error.',
      'device_memory',
      'device_full',
    ],
    ['Buffer size (4294967296) exceeds the max buffer size limit (1073741824).', 'device_memory', 'device_full'],
    ['Too many storage buffers in shader. Current: 9, limit: 8', 'device_memory', 'device_full'],
    ['std::bad_alloc', 'device_memory', 'device_full'],
    ['Failed to get a WebGPU adapter: No supported adapters', 'device_missing', 'null'],
    [
      'This session contains graph nodes that are assigned to the default CPU EP, but fallback to CPU EP has been explicitly disabled by the user.',
      'device_operator',
      'null',
    ],
    // Of our own code: after garbage was read back, for one.
    ['Cannot read properties of undefined', 'unchanged', 'device_failed'],
  ])('%s', (message, atStart, whileDecoding) => {
    const error = new Error(message);
    expect(codeOf(explained(error, 'large'))).toBe(atStart);
    const end = fatal(error);
    expect(end === null ? 'null' : end.data.code).toBe(whileDecoding);
    // Retryable ones are 503 and say when.
    if (end) expect([end.data.status, end.data.retryAfterSeconds]).toEqual([503, 5]);
  });

  it('tell no source files of the runtime', () => {
    const { message } = explained(new Error(lost)) as AppError;
    expect(message).not.toMatch(/\.cc|MapAsyncStatus::/);
    expect(message).toContain('[Device] is lost');
  });

  it('name the operators that are lacking, and the remedy', () => {
    const { message } = explained(new OperatorsMissing(['Or(bool, bool)'], {}), 'large') as AppError;
    expect(message).toMatch(/large.*Or\(bool, bool\).*"device": "cpu"/);
  });

  it('an error of ours stays what it is', () => {
    const own = new AppError('draining', {});
    expect(explained(own)).toBe(own);
  });
});

describe('a kernel that the device cannot make', () => {
  const refusing = (code: 'device_operator' | 'device_lost'): Kernels => ({
    ...twinKernels,
    prepare: ({ distribution }) =>
      distribution.kind === 'linear'
        ? Promise.reject(new AppError(code, { model: 'a kernel', reason: 'Or(bool, bool)', retryAfterSeconds: 5 }))
        : Promise.resolve(true),
  });

  it('fails the request that asked for it, and no other', async () => {
    const { engine } = makeEngine({ kernels: refusing('device_operator') });
    engine.submit(request('plain'));
    engine.submit(request('steered', { distribution: eft(0.5) }));
    const events = await drain(engine);
    expect(events.get('steered')).toMatchObject([{ kind: 'failed', error: { code: 'device_operator' } }]);
    expectNaive(events.get('plain'), request('plain'));
  });

  it('ends the tick where the device itself is gone', async () => {
    const { engine } = makeEngine({ kernels: refusing('device_lost') });
    engine.submit(request('steered', { distribution: eft(0.5) }));
    await expect(engine.tick()).rejects.toMatchObject({ data: { code: 'device_lost' } });
  });
});

it('a model that sees pictures is refused on the GPU before anything is converted, and on the CPU it is not', () => {
  const settings = { kind: 'causal', weights: 'f32', contextLength: null } as const;
  const model = (name: string): ModelSettings => ({
    ...settings,
    name,
    path: path.join(root, 'models/pocket', name),
    device: 'webgpu',
  });
  const gpu = { float16: true };
  expect(() => refuseModel(model('vl'), gpu)).toThrow(/vl sees pictures, .*Set "device": "cpu"/);
  expect(codeOf(thrown(() => refuseModel(model('vl'), gpu)))).toBe('device_pictures');
  expect(() => refuseModel(model('vl'), null)).not.toThrow();
  expect(() => refuseModel(model('large'), gpu)).not.toThrow();
});

describe('weights that cannot run where they are to run are refused before anything is converted', () => {
  const [plain, half] = [{ float16: false }, { float16: true }];

  it('w8a8: on any GPU', () => {
    expect(() => refuseWeights({ name: 'large', weights: 'w8a8' }, half)).toThrow(/large.*w8a8.*Use f32, q8 or q4/);
    expect(() => refuseWeights({ name: 'large', weights: 'w8a8' }, null)).not.toThrow();
  });

  it.each(['f32', 'q8', 'q4'] as const)('%s: nowhere', (weights) => {
    for (const gpu of [null, plain, half]) expect(() => refuseWeights({ name: 'large', weights }, gpu)).not.toThrow();
  });

  it.each([
    ['f16', 'f32'],
    ['q8f16', 'q8'],
    ['q4f16', 'q4'],
  ] as const)('%s: on the CPU, and on a GPU without the feature', (weights, instead) => {
    const model = { name: 'large', weights };
    expect(() => refuseWeights(model, half)).not.toThrow();
    const use = `"weights": "${instead}"`;
    expect(() => refuseWeights(model, plain)).toThrow(
      `large: weights of the format ${weights} compute in float16, and this GPU, or its driver, lacks the feature (shader-f16). Use ${use}.`,
    );
    expect(() => refuseWeights(model, null)).toThrow(
      `large: weights of the format ${weights} compute in float16, and the CPU would only widen it again. Set "device": "webgpu" for it, or use ${use}.`,
    );
  });
});
