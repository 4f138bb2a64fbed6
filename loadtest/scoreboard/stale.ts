// Refuses to measure models that come from another world than the tasks do: their answers would be wrong about facts that have changed
// under them, and the figures would say nothing of a method.
import { createHash } from 'node:crypto';
import { readFile } from 'node:fs/promises';
import path from 'node:path';
import Type from 'typebox';
import { Value } from 'typebox/value';
import { picturesHash } from '../../models/pocket/world/pictures/write.js';

/** What the recipe writes beside the models. */
const Manifest = Type.Object({
  models: Type.Record(Type.String(), Type.Object({ sha256: Type.String(), worldHash: Type.String() })),
  /** The vision-language model learned from pictures, which are no part of the world: their hash, and its files. */
  pictures: Type.Optional(Type.Object({ hash: Type.String(), files: Type.Record(Type.String(), Type.String()) })),
});

const REMEDY = 'Rebuild the models (models/pocket/README.md), or restore the world that they were trained on.';

const short = (hash: string): string => hash.slice(0, 12);

async function hashOf(file: string): Promise<string | null> {
  const bytes = await readFile(file).catch(() => null);
  return bytes === null ? null : createHash('sha256').update(bytes).digest('hex');
}

/** Throws an Error that names every model whose world or whose weights are not those of the manifest. */
export async function refuseStale(worldHash: string, suite: string): Promise<void> {
  const file = path.join(suite, 'models.json');
  const text = await readFile(file, 'utf8').catch(() => null);
  if (text === null) throw new Error(`There is no ${file}, so no telling what world the models come from. ${REMEDY}`);
  const manifest: unknown = JSON.parse(text);
  if (!Value.Check(Manifest, manifest)) throw new Error(`${file} is no list of models with their hashes. ${REMEDY}`);
  const complaints: string[] = [];
  for (const [name, { sha256, worldHash: world }] of Object.entries(manifest.models)) {
    const found = await hashOf(path.join(suite, name, 'model.safetensors'));
    if (world !== worldHash)
      complaints.push(`${name}: trained on world ${short(world)}, the tasks are of ${short(worldHash)}`);
    else if (found === null) complaints.push(`${name}: it has no weights`);
    else if (found !== sha256)
      complaints.push(`${name}: its weights are ${short(found)}, models.json says ${short(sha256)}`);
  }
  if (manifest.pictures && manifest.pictures.hash !== picturesHash())
    complaints.push(
      `pictures: learned from ${short(manifest.pictures.hash)}, the tasks are of ${short(picturesHash())}`,
    );
  for (const [name, sha256] of Object.entries(manifest.pictures?.files ?? {}))
    if ((await hashOf(path.join(suite, name))) !== sha256) complaints.push(`${name}: it is not that of models.json`);
  if (complaints.length > 0) throw new Error(`The models are stale. ${REMEDY}\n  ${complaints.join('\n  ')}`);
}
