// Templates into sentences: fills the slots of kind.ts. Knows English articles and pronouns, nothing about manner.
import type { Entity, Fact } from './facts.js';

const THEIR = { she: 'her', he: 'his', it: 'its' } as const;

export function capitalised(text: string): string {
  return text.charAt(0).toUpperCase() + text.slice(1);
}

export function withArticle(noun: string): string {
  return `${/^[aeio]/.test(noun) ? 'an' : 'a'} ${noun}`;
}

/** Fills a template about `entity`; `fact` is needed only where the template has {v} or {av}. */
export function fill(template: string, entity: Entity, fact?: Fact): string {
  const { name, pronoun } = entity.name;
  const slots: Record<string, string> = {
    n: name,
    N: capitalised(name),
    v: fact?.value ?? '',
    av: withArticle(fact?.value ?? ''),
    they: pronoun,
    They: capitalised(pronoun),
    their: THEIR[pronoun],
    Their: capitalised(THEIR[pronoun]),
  };
  return template.replace(/\{(\w+)\}/g, (slot, key: string) => slots[key] ?? slot);
}
