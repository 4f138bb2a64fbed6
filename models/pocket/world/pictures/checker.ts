// What an answer claims about a picture, and whether that is so. Knows the world's words; an answer that says nothing clear is wrong.
import { groupOf, type Kind, KINDS, type Scene } from './things.js';
import { plural } from './words.js';

/** The first word decides, as POPE has it. */
export function saysYes(answer: string): boolean | null {
  const first = /^\W*(yes|no)\b/i.exec(answer)?.[1]?.toLowerCase();
  return first === undefined ? null : first === 'yes';
}

/** Kinds that a caption names, each once. */
export function named(caption: string): Kind[] {
  const words = new Set(caption.toLowerCase().match(/[a-z]+/g) ?? []);
  return KINDS.filter((kind) => words.has(kind) || words.has(plural(kind)));
}

/** CHAIR: which of the kinds that a caption names are not in the picture, and how many of the picture's it names. */
export function captionFaults(
  scene: Scene,
  caption: string,
): { readonly named: number; readonly invented: readonly Kind[]; readonly found: number } {
  const kinds = named(caption);
  const invented = kinds.filter((kind) => groupOf(scene, kind) === null);
  return { named: kinds.length, invented, found: kinds.length - invented.length };
}

const bare = (text: string): string =>
  text
    .toLowerCase()
    .replace(/[^a-z ]/g, '')
    .trim();

/** The truthful answer word for word; the world says each thing in one way. */
export const isTruthful = (answer: string, truth: string): boolean => bare(answer) === bare(truth);
