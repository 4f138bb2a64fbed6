import { expect, test } from 'vitest';
import { free } from '../../server/engine/free.js';
import { HeldLogits } from '../../server/engine/held-logits.js';

test('every view of freed memory is empty, and other memory stays', () => {
  const whole = Float32Array.of(1, 2, 3, 4);
  const part = whole.subarray(1, 3);
  const other = Float32Array.of(5);
  free([part, whole.subarray(3)]);
  expect([whole.length, part.length, other[0]]).toEqual([0, 0, 5]);
});

test('logits are given back once, by the last who holds them', () => {
  const given: Float32Array[] = [];
  const data = Float32Array.of(1, 2);
  const logits = new HeldLogits({ data, width: 2 }, (array) => given.push(array));
  logits.retain();
  logits.release();
  expect(given).toEqual([]);
  logits.release();
  expect(given).toEqual([data]);
});
