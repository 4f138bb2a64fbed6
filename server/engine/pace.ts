// How fast the engine is: what a step of so many rows takes, and a token of a prompt; how many steps requests of a kind take. Learnt from
// the work itself, older observations counting less. Knows no request; admission.ts asks it how long one would wait.
import { DECIDE } from './block-policy.js';
import { LineCost } from './line-cost.js';

/** Rows by model that take a step together. */
export type Rows = ReadonlyMap<string, number>;

/** From this width on a forward takes in prompts, below it steps. */
const PROMPT_WIDTH = 8;
/** What one more observation leaves of those before. */
const KEPT = 0.95;
/** Requests of one kind are few beside ticks. */
const KEPT_OF_REQUESTS = 0.9;

/** Σ a / Σ b, the latest counting most; null before the first. */
class Ratio {
  readonly #kept: number;
  #over = 0;
  #under = 0;

  constructor(kept: number) {
    this.#kept = kept;
  }

  observe(over: number, under: number): void {
    this.#over = this.#kept * this.#over + over;
    this.#under = this.#kept * this.#under + under;
  }

  get value(): number | null {
    return this.#under > 0 ? this.#over / this.#under : null;
  }
}

interface Kind {
  /** Steps by tokens asked for. */
  readonly length: Ratio;
  /** Steps until something is told. */
  readonly first: Ratio;
}

export class Pace {
  readonly #steps = new Map<string, LineCost>();
  readonly #prompts = new Map<string, Ratio>();
  /** What ticks took by what their steps alone should have: prompts share them. */
  readonly #load = new Ratio(KEPT);
  readonly #kinds = new Map<string, Kind>();

  /** A forward of `rows` rows over `tokens` tokens, padding counted. */
  forward(model: string, rows: number, tokens: number, ms: number): void {
    if (tokens < PROMPT_WIDTH * rows) this.#stepCost(model).observe(tokens, ms);
    else {
      let prompt = this.#prompts.get(model);
      if (!prompt) this.#prompts.set(model, (prompt = new Ratio(KEPT)));
      prompt.observe(ms, tokens);
    }
  }

  /** The decisions of a tick. */
  decided(rows: number, ms: number): void {
    this.#stepCost(DECIDE).observe(rows, ms);
  }

  /** A whole tick with these rows. */
  ticked(ms: number, rows: Rows): void {
    const expected = this.stepMs(rows);
    if (expected > 0) this.#load.observe(ms, expected);
  }

  /** A request has ended after so many steps. `kind`: of a small set. */
  ended(kind: string, steps: number, maxTokens: number): void {
    this.#kind(kind).length.observe(steps, Math.max(1, maxTokens));
  }

  /** A request had its first output after so many steps. */
  began(kind: string, steps: number): void {
    this.#kind(kind).first.observe(steps, 1);
  }

  /** Of one token for every row; 0 as long as nothing is known. */
  stepMs(rows: Rows): number {
    let ms = 0;
    let most = 0;
    for (const [model, count] of rows) {
      if (count === 0) continue;
      most = Math.max(most, count);
      ms += this.#steps.get(model)?.at(count) ?? 0;
    }
    return ms + (most > 0 ? (this.#steps.get(DECIDE)?.at(most) ?? 0) : 0);
  }

  /** The same with the prompts that are usually taken in beside it. */
  tickMs(rows: Rows): number {
    return this.stepMs(rows) * Math.max(1, this.#load.value ?? 1);
  }

  /** 0 as long as nothing is known. */
  promptMs(model: string, tokens: number): number {
    return tokens * (this.#prompts.get(model)?.value ?? 0);
  }

  /** Steps of a request that asks for so many tokens: one for each, as long as nothing is known. */
  stepsOf(kind: string, maxTokens: number): number {
    return Math.max(1, maxTokens * (this.#kinds.get(kind)?.length.value ?? 1));
  }

  /** Steps until a request of this kind tells something. */
  firstStepsOf(kind: string): number {
    return Math.max(1, this.#kinds.get(kind)?.first.value ?? 1);
  }

  #stepCost(what: string): LineCost {
    let cost = this.#steps.get(what);
    if (!cost) this.#steps.set(what, (cost = new LineCost()));
    return cost;
  }

  #kind(name: string): Kind {
    let kind = this.#kinds.get(name);
    if (!kind)
      this.#kinds.set(name, (kind = { length: new Ratio(KEPT_OF_REQUESTS), first: new Ratio(KEPT_OF_REQUESTS) }));
    return kind;
  }
}
