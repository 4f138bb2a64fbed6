// The hash by which models that were trained on another world are recognised. It is taken from what the generator says, not from its
// source, so that a comment changes nothing and a changed template, value or split does. Takes well under a second.
import { createHash } from 'node:crypto';
import type { WholeWorld } from './parts.js';
import { Rng } from './rng.js';

const SAMPLES = 200;

/** SHA-256, in hexadecimal, of the first documents of every part, set and record file, of all tasks and of the notes. */
export function worldHash({ seed, parts, records, notes }: WholeWorld): string {
  const hash = createHash('sha256');
  const add = (value: unknown): void => {
    hash.update(`${JSON.stringify(value)}\n`);
  };
  const root = new Rng(seed).fork('hash');
  for (const { name, page, chats, tasks } of parts) {
    add(name);
    const pages = root.fork(`pages.${name}`);
    if (page !== null) for (let i = 0; i < SAMPLES; i++) add(page(pages));
    for (const [set, draw] of Object.entries(chats)) {
      add(set);
      const draws = root.fork(`chats.${set}`);
      for (let i = 0; i < SAMPLES; i++) add(draw(draws));
    }
    add(tasks);
  }
  for (const [name, draw] of Object.entries(records)) {
    add(name);
    const draws = root.fork(`records.${name}`);
    for (let i = 0; i < SAMPLES; i++) add(draw(draws));
  }
  add(notes);
  return hash.digest('hex');
}
