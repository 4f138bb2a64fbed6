import { mkdtempSync, readFileSync, readdirSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { cannotWrite, writeAll } from '../../loadtest/write.js';

let directory = '';
const at = (name: string): string => join(directory, name);

beforeAll(() => {
  directory = mkdtempSync(join(tmpdir(), 'trimtab-write-'));
});
afterAll(() => rmSync(directory, { recursive: true, force: true }));

it('writes all files', async () => {
  await writeAll({ [at('page')]: 'new', [at('data')]: '{}' });
  expect(readFileSync(at('page'), 'utf8')).toBe('new');
  expect(readdirSync(directory).sort()).toEqual(['data', 'page']);
});

it('writes none where one cannot be written: what was there stays, and the message says what to do', async () => {
  writeFileSync(at('page'), 'old');
  const gone = join(directory, 'gone', 'data');
  await expect(writeAll({ [at('page')]: 'newer', [gone]: '{}' })).rejects.toThrow(
    `${gone} cannot be written (ENOENT). There is no such folder: make it, and run it again.`,
  );
  expect(readFileSync(at('page'), 'utf8')).toBe('old');
  expect(readdirSync(directory).sort()).toEqual(['data', 'page']);
});

it('a full disk is told as one; what is no fault of the disk stays what it is', () => {
  const full = Object.assign(new Error('no space left on device'), { code: 'ENOSPC' });
  expect(cannotWrite('/x', full)).toMatchObject({
    message: '/x cannot be written (ENOSPC). The disk is full: free space there, and run it again.',
    cause: full,
  });
  const bug = new TypeError('a bug');
  expect(cannotWrite('/x', bug)).toBe(bug);
});
