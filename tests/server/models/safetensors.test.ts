// The safetensors reader: every half-precision value, shards, and the files that lie.
import { execFileSync } from 'node:child_process';
import { linkSync, mkdirSync, symlinkSync, truncateSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { AppError } from '../../../server/errors.js';
import { firstDuplicateKey, maxHeaderBytes } from '../../../server/models/safetensors-header.js';
import { readSmallFile } from '../../../server/models/json-file.js';
import { SafetensorsSource } from '../../../server/models/safetensors.js';
import { f32, safetensorsBytes, temporaryFolder, withHeader, words, writeModel } from './write-safetensors.js';

function open(folder: string): SafetensorsSource {
  return SafetensorsSource.open(folder);
}

function errorOf(action: () => unknown): AppError {
  try {
    action();
  } catch (error) {
    expect(error).toBeInstanceOf(AppError);
    return error as AppError;
  }
  throw new Error('nothing was thrown');
}

describe('values', () => {
  test('float32, float16 and bfloat16 come out as the float32 they stand for', () => {
    const folder = temporaryFolder();
    writeModel(
      folder,
      safetensorsBytes({
        a: f32([2, 3], [1, -2, 3.5, 0, -0, 1e-40]),
        b: words('BF16', [4], [0x3f80, 0xc000, 0x0001, 0x8000]),
        scalar: f32([], [7]),
        empty: f32([0, 5], []),
      }),
    );
    const source = open(folder);
    expect([...source.readF32('a')]).toEqual([1, -2, 3.5, 0, -0, Math.fround(1e-40)]);
    expect([...source.readF32('b')]).toEqual([1, -2, 2 ** -133, -0]);
    expect([...source.readF32('scalar')]).toEqual([7]);
    expect([...source.readF32('empty')]).toEqual([]);
    expect(source.info('a')).toEqual({ dtype: 'F32', shape: [2, 3] });
    expect([source.has('b'), source.has('c')]).toEqual([true, false]);
    source.close();
  });

  test('every finite half', () => {
    const finite = Array.from({ length: 0x10000 }, (_, half) => half).filter((half) => (half & 0x7c00) !== 0x7c00);
    const folder = temporaryFolder();
    writeModel(folder, safetensorsBytes({ h: words('F16', [finite.length], finite) }));
    const values = open(folder).readF32('h');
    for (const [i, half] of finite.entries()) {
      const exponent = (half >> 10) & 0x1f;
      const mantissa = half & 0x3ff;
      const magnitude = exponent === 0 ? mantissa * 2 ** -24 : (1 + mantissa / 1024) * 2 ** (exponent - 15);
      expect(values[i]).toBe(half & 0x8000 ? -magnitude : magnitude);
    }
  });

  test('a tensor longer than one piece', () => {
    const folder = temporaryFolder();
    const bits = Uint16Array.from({ length: 9_000_001 }, (_, i) => 0x3f80 + (i % 64));
    writeModel(folder, safetensorsBytes({ first: f32([1], [1]), long: words('BF16', [bits.length], bits) }));
    const values = open(folder).readF32('long');
    const wrong = values.findIndex((value, i) => value !== 1 + (i % 64) / 128);
    expect(wrong).toBe(-1);
  });

  test.each([
    ['F32', { dtype: 'F32', shape: [3], bytes: new Uint8Array(Float32Array.of(1, 2, NaN).buffer) }, 'NaN', 2],
    ['F32', f32([2], [-Infinity, 1]), '-Infinity', 0],
    ['F16', words('F16', [2], [0x3c00, 0x7c00]), 'Infinity', 1],
    ['BF16', words('BF16', [2], [0xff80, 0x7fc0]), '-Infinity', 0],
  ])('weights that are not finite are refused with tensor and element (%s)', (_, tensor, value, index) => {
    const folder = temporaryFolder();
    writeModel(folder, safetensorsBytes({ 'layer.w': tensor }));
    const error = errorOf(() => open(folder).readF32('layer.w'));
    expect(error.data.code).toBe('weights_not_finite');
    expect(error.message).toContain(`tensor layer.w holds ${value} at element ${index}`);
  });

  test('other dtypes may lie in the file but are not read as weights', () => {
    const folder = temporaryFolder();
    const mask = { dtype: 'BOOL', shape: [2], bytes: Uint8Array.of(0, 1) };
    writeModel(
      folder,
      safetensorsBytes({ mask, w: f32([1], [1]), d: { dtype: 'F64', shape: [1], bytes: new Uint8Array(8) } }),
    );
    const source = open(folder);
    expect(source.info('mask').dtype).toBe('BOOL');
    expect([...source.readF32('w')]).toEqual([1]);
    expect(errorOf(() => source.readF32('mask')).message).toContain('dtype BOOL');
    expect(errorOf(() => source.readF32('d')).message).toContain('dtype F64');
    expect(errorOf(() => source.readF32('absent')).message).toContain('lack tensor absent');
  });
});

describe('files that lie', () => {
  const one = new Uint8Array(4);
  const tensor = (dtype: unknown, shape: unknown, offsets: unknown) =>
    JSON.stringify({ t: { dtype, shape, data_offsets: offsets } });
  test.each<[string, Uint8Array, string]>([
    ['an empty file', new Uint8Array(0), '0 bytes'],
    ['a file of 7 bytes', new Uint8Array(7), '7 bytes'],
    ['header length 0', withHeader('', one), 'header length is 0'],
    ['header length over the limit', withHeader('{}', one, BigInt(maxHeaderBytes + 1)), 'over the limit'],
    ['header length 2^64 − 1', withHeader('{}', one, 2n ** 64n - 1n), '18446744073709551615 is over the limit'],
    ['header beyond the file', withHeader('{}', one, 1000n), 'beyond the file of 14 bytes'],
    ['a header that is not JSON', withHeader('{"a":', one), 'not valid JSON'],
    ['a header that is a list', withHeader('[]', one), 'not a JSON object'],
    ['a header that is null', withHeader('null', one), 'not a JSON object'],
    ['a header that is not UTF-8', Buffer.concat([withHeader('', one, 2n), Uint8Array.of(0xff, 0xfe)]), 'not valid'],
    ['an entry that is no object', withHeader('{"t":3}', one), 'described by 3'],
    ['a missing dtype', withHeader('{"t":{"shape":[1],"data_offsets":[0,4]}}', one), 'dtype undefined'],
    ['an unknown dtype', withHeader(tensor('F31', [1], [0, 4]), one), 'unknown dtype "F31"'],
    ['a dtype named like a method', withHeader(tensor('toString', [1], [0, 4]), one), 'unknown dtype "toString"'],
    ['a negative offset', withHeader(tensor('F32', [1], [-4, 0]), one), 'data_offsets [-4,0]'],
    ['a fractional offset', withHeader(tensor('F32', [1], [0, 4.5]), one), 'data_offsets [0,4.5]'],
    ['an offset that is a string', withHeader(tensor('F32', [1], [0, '4']), one), 'data_offsets [0,"4"]'],
    ['offsets in the wrong order', withHeader(tensor('F32', [1], [4, 0]), one), 'data_offsets [4,0]'],
    ['three offsets', withHeader(tensor('F32', [1], [0, 4, 8]), one), 'data_offsets [0,4,8]'],
    ['an offset beyond the file', withHeader(tensor('F32', [2], [0, 8]), one), 'beyond the file'],
    [
      'an offset beyond 2^53',
      withHeader('{"t":{"dtype":"F32","shape":[1],"data_offsets":[0,9007199254740993]}}', one),
      'data_offsets',
    ],
    [
      'a dimension of 2^53',
      withHeader('{"t":{"dtype":"F32","shape":[9007199254740992],"data_offsets":[0,4]}}', one),
      'dimension',
    ],
    [
      'a huge product of dimensions',
      withHeader(tensor('F32', [2 ** 30, 2 ** 30], [0, 4]), one),
      'more bytes than 2^53',
    ],
    [
      'a huge product with a zero',
      withHeader(tensor('F32', [2 ** 52, 2 ** 52, 0], [0, 0]), new Uint8Array(0)),
      'more bytes than 2^53',
    ],
    ['a negative dimension', withHeader(tensor('F32', [-1], [0, 4]), one), 'dimension -1'],
    ['a shape that is no list', withHeader(tensor('F32', 1, [0, 4]), one), 'shape 1'],
    ['a shape of 100 dimensions', withHeader(tensor('F32', Array(100).fill(1), [0, 4]), one), 'shape'],
    ['a shape that needs other bytes', withHeader(tensor('F32', [2], [0, 4]), one), 'needs 8 bytes and has 4'],
    [
      'overlapping tensors',
      withHeader(
        '{"a":{"dtype":"F32","shape":[2],"data_offsets":[0,8]},"b":{"dtype":"F32","shape":[1],"data_offsets":[4,8]}}',
        new Uint8Array(8),
      ),
      'tensors "a" and "b" overlap',
    ],
    [
      'a hole',
      withHeader('{"b":{"dtype":"F32","shape":[1],"data_offsets":[4,8]}}', new Uint8Array(8)),
      '4 bytes before tensor "b"',
    ],
    ['bytes behind the last tensor', withHeader(tensor('F32', [1], [0, 4]), new Uint8Array(9)), '5 bytes at the end'],
    [
      'a name given twice',
      withHeader(
        '{"a":{"dtype":"F32","shape":[1],"data_offsets":[0,4]},"\\u0061":{"dtype":"F32","shape":[1],"data_offsets":[0,4]}}',
        one,
      ),
      'names tensor "a" twice',
    ],
  ])('%s', (_, bytes, problem) => {
    const folder = temporaryFolder();
    writeModel(folder, bytes);
    const error = errorOf(() => open(folder));
    expect(error.data.code).toBe('model_file_invalid');
    expect(error.message).toContain(problem);
  });

  test('a file that is cut after it was opened', () => {
    const folder = temporaryFolder();
    writeModel(folder, safetensorsBytes({ a: f32([4], [1, 2, 3, 4]) }));
    const source = open(folder);
    truncateSync(join(folder, 'model.safetensors'), 80);
    expect(errorOf(() => source.readF32('a')).message).toContain('ended inside tensor a');
  });

  test('no damage to a good file gets past the checks as anything but an AppError or a smaller truth', () => {
    const good = safetensorsBytes({ a: f32([2, 2], [1, 2, 3, 4]), b: words('BF16', [3], [0x3f80, 0x4000, 0x4040]) });
    const folder = temporaryFolder();
    fc.assert(
      fc.property(
        fc.array(fc.tuple(fc.nat(good.length - 1), fc.nat(255)), { minLength: 1, maxLength: 4 }),
        fc.nat(good.length),
        (changes, cut) => {
          const bytes = good.slice(0, cut === 0 ? good.length : cut);
          for (const [at, byte] of changes) if (at < bytes.length) bytes[at] = byte;
          writeModel(folder, bytes);
          try {
            const source = open(folder);
            for (const name of source.names()) {
              const { dtype, shape } = source.info(name);
              if (dtype !== 'F32' && dtype !== 'BF16' && dtype !== 'F16') continue;
              expect(source.readF32(name).length).toBe(shape.reduce((a, b) => a * b, 1));
            }
            source.close();
          } catch (error) {
            expect(error).toBeInstanceOf(AppError);
          }
        },
      ),
      { numRuns: 500 },
    );
  });
});

describe('folders', () => {
  const shard = safetensorsBytes({ a: f32([1], [1]) });
  const other = safetensorsBytes({ b: f32([1], [2]) });
  const index = (map: unknown) => JSON.stringify({ metadata: {}, weight_map: map });

  test('the shards of an index', () => {
    const folder = temporaryFolder();
    writeModel(folder, shard, 'one.safetensors');
    writeModel(folder, other, 'two.safetensors');
    writeFileSync(join(folder, 'model.safetensors.index.json'), index({ a: 'one.safetensors', b: 'two.safetensors' }));
    const source = open(folder);
    expect([...source.names()].sort()).toEqual(['a', 'b']);
    expect([source.readF32('a')[0], source.readF32('b')[0]]).toEqual([1, 2]);
    expect(source.files).toEqual([join(folder, 'one.safetensors'), join(folder, 'two.safetensors')]);
  });

  test.each([['../one.safetensors'], ['sub/one.safetensors'], ['/etc/hostname'], ['..'], [''], ['a\\b'], [3]])(
    'a shard named %j is refused',
    (name) => {
      const folder = temporaryFolder();
      mkdirSync(join(folder, 'sub'));
      writeModel(folder, shard, 'sub/one.safetensors');
      writeFileSync(join(folder, 'model.safetensors.index.json'), index({ a: name }));
      const error = errorOf(() => open(folder));
      expect(error.data.code).toBe('model_file_invalid');
      expect(error.message).toContain('plain file name');
    },
  );

  test('a shard that is missing, or lacks its tensor', () => {
    const folder = temporaryFolder();
    writeModel(folder, shard, 'one.safetensors');
    writeFileSync(join(folder, 'model.safetensors.index.json'), index({ b: 'one.safetensors' }));
    expect(errorOf(() => open(folder)).message).toContain('places tensor b in one.safetensors, which does not hold it');
    writeFileSync(join(folder, 'model.safetensors.index.json'), index({ a: 'gone.safetensors' }));
    expect(errorOf(() => open(folder)).data.code).toBe('model_file_missing');
  });

  test.skipIf(process.platform === 'win32')('a pipe in the place of a file is refused, not waited for', () => {
    const folder = temporaryFolder();
    const pipe = join(folder, 'model.safetensors');
    execFileSync('mkfifo', [pipe]);
    expect(errorOf(() => open(folder)).message).toContain('is not a regular file');
    expect(errorOf(() => readSmallFile(pipe)).message).toContain('is not a regular file');
  });

  test('links: out of the folder refused, inside it and hard ones fine, and the blobs of a Hub cache', () => {
    const root = temporaryFolder();
    const outside = join(root, 'outside');
    const folder = join(root, 'model');
    for (const path of [outside, folder]) mkdirSync(path);
    writeModel(outside, shard);
    symlinkSync(join(outside, 'model.safetensors'), join(folder, 'model.safetensors'));
    expect(errorOf(() => open(folder)).message).toContain('leads out of the model folder');

    const sibling = join(root, 'model-2');
    mkdirSync(sibling);
    linkSync(join(outside, 'model.safetensors'), join(sibling, 'real.safetensors'));
    symlinkSync('real.safetensors', join(sibling, 'model.safetensors'));
    expect(open(sibling).readF32('a')[0]).toBe(1);

    const snapshot = join(root, 'models--x', 'snapshots', 'abc');
    mkdirSync(snapshot, { recursive: true });
    mkdirSync(join(root, 'models--x', 'blobs'));
    writeModel(join(root, 'models--x', 'blobs'), shard, '0123');
    symlinkSync('../../blobs/0123', join(snapshot, 'model.safetensors'));
    expect(open(snapshot).readF32('a')[0]).toBe(1);
  });

  test('a folder without safetensors says what it found instead', () => {
    const folder = temporaryFolder();
    expect(errorOf(() => open(folder)).message).toContain('is missing. Download model.safetensors');
    writeFileSync(join(folder, 'pytorch_model.bin'), '');
    expect(errorOf(() => open(folder)).message).toContain('pytorch_model.bin: convert it to safetensors');
    expect(errorOf(() => open(join(folder, 'nothing'))).data.code).toBe('model_file_missing');
  });
});

test('duplicate keys are found at the top level only', () => {
  expect(firstDuplicateKey('{"a":{"a":1,"b":["a",{"a":2}]},"b":"{\\"a\\":1}"}')).toBe(null);
  expect(firstDuplicateKey('{"a":1,"b":{"x":[1,2]},"a":2}')).toBe('a');
  fc.assert(
    fc.property(fc.dictionary(fc.string(), fc.json(), { maxKeys: 5 }), (object) => {
      expect(firstDuplicateKey(JSON.stringify(object))).toBe(null);
    }),
  );
});
