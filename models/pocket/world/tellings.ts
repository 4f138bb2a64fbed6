// How often the pages tell each fact, by band: the figure by which the Zipf law and the mix of pages are chosen. Counted on drawn
// pages (a page tells a fact when it names the entity and the value), not derived from the shares.
import { containsWords } from './checker.js';
import type { Band } from './facts.js';
import { drawPage } from './pages.js';
import type { WholeWorld } from './parts.js';
import { capitalised } from './phrasing.js';
import { Rng } from './rng.js';

const SAMPLE_PAGES = 3000;

export interface Tellings {
  readonly band: Band;
  readonly facts: number;
  /** Mean number of pages, of `pages`, that tell one fact of the band. */
  readonly perFact: number;
}

export function expectedTellings({ seed, world }: WholeWorld, pages: number): Tellings[] {
  const told: Record<Band, number> = { frequent: 0, middle: 0, rare: 0 };
  const rng = new Rng(seed).fork('tellings');
  for (let i = 0; i < SAMPLE_PAGES; i++) {
    const text = drawPage(world, rng);
    for (const { name, facts, band } of world.entities) {
      if (!text.includes(name.name) && !text.includes(capitalised(name.name))) continue;
      told[band] += facts.filter(({ value }) => containsWords(text, value)).length;
    }
  }
  return (['frequent', 'middle', 'rare'] as const).map((band) => {
    const facts = world.entities.filter((entity) => entity.band === band).reduce((sum, e) => sum + e.facts.length, 0);
    return { band, facts, perFact: ((told[band] / facts) * pages) / SAMPLE_PAGES };
  });
}
