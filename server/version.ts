// The version of this package, from its package.json: shown by the CLI and on /health, hashed into system_fingerprint.
import { readFileSync } from 'node:fs';
import { resolve } from 'node:path';
import { packageDirectory } from './config.js';

const manifest = JSON.parse(readFileSync(resolve(packageDirectory(), 'package.json'), 'utf8')) as {
  readonly version: string;
};

export const version: string = manifest.version;
