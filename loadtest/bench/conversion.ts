// How long the first start on a new checkpoint takes: conversion of the 135M shape into each weight format.
import { rm } from 'node:fs/promises';
import path from 'node:path';
import { ensureArtifact } from '../../server/models/artifacts.js';
import { checkpointOf } from './in-process.js';
import { informs, type Row } from './rows.js';
import { benchCache } from './server.js';

export async function benchConversion(): Promise<Row[]> {
  const checkpoint = await checkpointOf('smol135');
  const artifactDirectory = path.join(benchCache, 'conversion');
  const rows: Row[] = [];
  for (const weights of ['f32', 'q4', 'q8', 'w8a8'] as const) {
    await rm(artifactDirectory, { recursive: true, force: true });
    const start = performance.now();
    await ensureArtifact({ path: checkpoint, weights, artifactDirectory });
    rows.push(informs(`smol135 to ${weights}`, (performance.now() - start) / 1000, 's'));
  }
  await rm(artifactDirectory, { recursive: true, force: true });
  return rows;
}
