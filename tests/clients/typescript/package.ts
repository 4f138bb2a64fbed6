// The package as it would be published, unpacked into a project of its own: what is not in the tarball is not there.
import { execFile } from 'node:child_process';
import { createRequire } from 'node:module';
import { mkdir, mkdtemp, rm, symlink, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';

export const root = fileURLToPath(new URL('../../../', import.meta.url));
export const packageDirectory = path.join(root, 'clients/typescript');

const execute = promisify(execFile);

export interface Ran {
  readonly code: number;
  readonly output: string;
}

/** Standard output and standard error together; a failure is no exception. */
export async function ran(file: string, args: readonly string[], cwd: string): Promise<Ran> {
  try {
    const { stdout, stderr } = await execute(file, args, { cwd });
    return { code: 0, output: stdout + stderr };
  } catch (error) {
    const { code, stdout, stderr } = error as { code: number; stdout: string; stderr: string };
    return { code, output: stdout + stderr };
  }
}

/** Where this repository's tools and libraries lie, also in a working tree that borrows them. */
export const modules = path.resolve(createRequire(import.meta.url).resolve('typescript/package.json'), '../..');

const dependency = (name: string): string => path.join(modules, name);

export interface Project {
  readonly directory: string;
  /** Compiles with the compiler of this repository, by these options. */
  compile(options: Readonly<Record<string, unknown>>, files: readonly string[]): Promise<Ran>;
  remove(): Promise<void>;
}

/** Links what the package depends on, and these packages, as an installation would. */
export async function projectWithClient(links: readonly string[] = []): Promise<Project> {
  const directory = await mkdtemp(path.join(tmpdir(), 'trimtab-client-'));
  const modules = path.join(directory, 'node_modules');
  const home = path.join(modules, '@trimtab/client');
  await mkdir(home, { recursive: true });
  const packed = await execute('npm', ['pack', '--ignore-scripts', '--silent', '--pack-destination', directory], {
    cwd: packageDirectory,
  });
  await execute('tar', ['-xzf', path.join(directory, packed.stdout.trim()), '-C', home, '--strip-components=1']);
  for (const name of ['eventsource-parser', ...links]) {
    await mkdir(path.dirname(path.join(modules, name)), { recursive: true });
    await symlink(dependency(name), path.join(modules, name));
  }
  await writeFile(path.join(directory, 'package.json'), JSON.stringify({ name: 'project', type: 'module' }));
  const tsc = path.join(dependency('typescript'), 'bin/tsc');
  return {
    directory,
    compile: async (compilerOptions, files) => {
      const config = {
        compilerOptions: { strict: true, module: 'NodeNext', target: 'ES2022', ...compilerOptions },
        files,
      };
      await writeFile(path.join(directory, 'tsconfig.json'), JSON.stringify(config));
      return ran(process.execPath, [tsc, '-p', directory], directory);
    },
    remove: () => rm(directory, { recursive: true, force: true }),
  };
}
