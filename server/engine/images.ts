// Pictures of one model in the engine. Each distinct (picture, look) is given token ids beyond the vocabulary, one per row of it, so that
// everything that knows tokens only (views, prefixes, rewinds) tells pictures apart by content. Rows are computed when a forward first needs
// them: the tower runs once per distinct picture, and again only when its features were dropped for want of room. Owned by one EngineModel.
import { LRUCache } from 'lru-cache';
import type { Look } from '../../decoders/prompt.js';
import { imageTokens, type VisionSpec } from '../../kernels/vision/spec.js';
import { AppError } from '../errors.js';
import type { ImageInput } from '../wire/decode.js';
import type { ModelGauges } from './messages.js';
import { noised } from './noise.js';

/** What the engine needs of a tower: a VisionModel, or a toy in tests. */
export interface Vision {
  readonly spec: VisionSpec;
  readonly projections: readonly string[];
  encode(pixels: Float32Array): Promise<Float32Array>;
  project(features: Float32Array, projection: string | null): Promise<Float32Array>;
  release(): Promise<void>;
}

/** A picture as one view sees it. */
interface Sight {
  readonly first: number;
  readonly key: string;
  /** Of what the tower sees: views that differ in their projection share it. */
  readonly towerKey: string;
  /** Brought by whoever uses it. */
  input: ImageInput;
  readonly look: Look | null;
  users: number;
}

/** Beyond every vocabulary. */
const FIRST_ID = 2 ** 26;
const LAST_ID = 2 ** 31 - 1;
/** Sights that nobody uses are remembered, so that stored prompts with them are found again. */
const KNOWN_SIGHTS = 4096;

export class ImageRows {
  readonly #vision: Vision;
  readonly #perImage: number;
  readonly #rows: LRUCache<string, Float32Array>;
  readonly #sights = new Map<string, Sight>();
  /** By the first id, of those in use. */
  readonly #byFirst = new Map<number, Sight>();
  #next = FIRST_ID;
  #encoded = 0;
  #projected = 0;

  constructor(vision: Vision, cacheBytes: number) {
    this.#vision = vision;
    this.#perImage = imageTokens(vision.spec);
    this.#rows = new LRUCache({ maxSize: Math.max(1, cacheBytes), sizeCalculation: (rows) => rows.byteLength });
  }

  get counters(): NonNullable<ModelGauges['images']> {
    return { encoded: this.#encoded, projected: this.#projected, cacheBytes: this.#rows.calculatedSize };
  }

  /** Ids of a prompt in which each picture's places have its own ids. Close what it opened when the prompt is no longer needed. */
  open(
    promptIds: Int32Array,
    inputs: readonly ImageInput[],
    look: Look | null,
  ): { ids: Int32Array; close: () => void } {
    const { imageTokenId } = this.#vision.spec;
    const places = promptIds.reduce((count, id) => count + (id === imageTokenId ? 1 : 0), 0);
    if (places !== inputs.length * this.#perImage)
      throw new AppError('engine_failed', {
        reason: `a prompt with ${places} places for ${inputs.length} pictures of ${this.#perImage} rows`,
      });
    const sights = inputs.map((input) => this.#use(input, look));
    let seen = 0;
    const ids = promptIds.map((id) => {
      if (id !== imageTokenId) return id;
      const sight = sights[Math.floor(seen / this.#perImage)];
      return sight ? sight.first + (seen++ % this.#perImage) : id;
    });
    let isOpen = true;
    const close = (): void => {
      if (isOpen) for (const sight of sights) this.#drop(sight);
      isOpen = false;
    };
    return { ids, close };
  }

  /** Takes pictures' ids out of a forward: where they stood, and their rows. `ids` keeps a token of the vocabulary in their places. */
  async take(ids: Int32Array): Promise<{ slots: number[]; rows: Float32Array }> {
    const slots: number[] = [];
    for (let slot = 0; slot < ids.length; slot++) if ((ids[slot] ?? 0) >= FIRST_ID) slots.push(slot);
    const parts: Float32Array[] = [];
    for (const slot of slots) {
      const id = ids[slot] ?? 0;
      const first = id - ((id - FIRST_ID) % this.#perImage);
      const sight = this.#byFirst.get(first);
      if (!sight) throw new Error(`no picture has the id ${id}`);
      const rows = await this.#rowsOf(sight);
      const width = rows.length / this.#perImage;
      parts.push(rows.subarray((id - first) * width, (id - first + 1) * width));
      ids[slot] = this.#vision.spec.imageTokenId;
    }
    return { slots, rows: joined(parts) };
  }

  /** Throws when pictures are still open although nothing runs. */
  check(): void {
    if (this.#byFirst.size > 0) throw new Error(`${this.#byFirst.size} pictures are open although nothing runs`);
  }

  release(): Promise<void> {
    this.#rows.clear();
    return this.#vision.release();
  }

  async #rowsOf({ key, towerKey, input, look }: Sight): Promise<Float32Array> {
    const known = this.#rows.get(key);
    if (known) return known;
    let features = this.#rows.get(towerKey);
    if (!features) {
      const pixels = look?.kind === 'noise' ? noised(input.pixels, look.step, input.hash) : input.pixels;
      features = await this.#vision.encode(pixels);
      this.#encoded++;
      this.#rows.set(towerKey, features);
    }
    const rows = await this.#vision.project(features, look?.kind === 'projection' ? look.name : null);
    this.#projected++;
    this.#rows.set(key, rows);
    return rows;
  }

  #use(input: ImageInput, look: Look | null): Sight {
    const towerKey = look?.kind === 'noise' ? `tower ${input.hash} ${look.step}` : `tower ${input.hash}`;
    const key = `rows ${input.hash} ${JSON.stringify(look)}`;
    const known = this.#sights.get(key);
    const sight = known ?? { first: this.#freshIds(), key, towerKey, input, look, users: 0 };
    // The latest one is the last: those that nobody has used for longest are forgotten first.
    this.#sights.delete(key);
    this.#sights.set(key, sight);
    this.#byFirst.set(sight.first, sight);
    sight.input = input;
    sight.users++;
    return sight;
  }

  #drop(sight: Sight): void {
    if (--sight.users > 0) return;
    this.#byFirst.delete(sight.first);
    sight.input = forgotten;
    for (const [key, { users }] of this.#sights) {
      if (this.#sights.size <= KNOWN_SIGHTS) break;
      if (users === 0) this.#sights.delete(key);
    }
  }

  /** Never given out twice: a stored prompt with an old id must not meet another picture. */
  #freshIds(): number {
    const first = this.#next;
    if (first + this.#perImage > LAST_ID)
      throw new AppError('engine_failed', { reason: 'it has seen as many pictures as it can tell apart; restart it' });
    this.#next += this.#perImage;
    return first;
  }
}

function joined(parts: readonly Float32Array[]): Float32Array {
  const all = new Float32Array(parts.reduce((sum, { length }) => sum + length, 0));
  let at = 0;
  for (const part of parts) {
    all.set(part, at);
    at += part.length;
  }
  return all;
}

const forgotten: ImageInput = { hash: '', pixels: new Float32Array(0) };
