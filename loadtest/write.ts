// Writes results: all files of a measurement or none of them, and a disk that takes no more is told with what to do. Used by the programs of
// loadtest/.
import { rename, rm, writeFile } from 'node:fs/promises';

/** Texts by path, in folders that are there. Until all are written, what was there before stays. */
export async function writeAll(texts: Readonly<Record<string, string>>): Promise<void> {
  const partial = (path: string): string => `${path}.partial`;
  const paths = Object.keys(texts);
  for (const path of paths)
    await writeFile(partial(path), texts[path] ?? '').catch(async (error: unknown) => {
      await Promise.all(paths.map((each) => rm(partial(each), { force: true })));
      throw cannotWrite(path, error);
    });
  for (const path of paths) await rename(partial(path), path);
}

const remedies: Readonly<Record<string, string>> = {
  ENOSPC: 'The disk is full: free space there',
  EDQUOT: 'The quota is used up: free space there',
  EFBIG: 'It is larger than a file may be there: raise the limit (ulimit -f)',
  EACCES: 'Allow writing there',
  EPERM: 'Allow writing there',
  EROFS: 'The disk is read-only: make it writable',
  ENOENT: 'There is no such folder: make it',
};

/** What does not come from a disk stays what it is. */
export function cannotWrite(path: string, error: unknown): unknown {
  const code = error instanceof Error && 'code' in error ? String(error.code) : '';
  const remedy = remedies[code];
  if (remedy === undefined) return error;
  return new Error(`${path} cannot be written (${code}). ${remedy}, and run it again.`, { cause: error });
}
