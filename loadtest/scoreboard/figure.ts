// What one line of the scoreboard is, and what a method's file gives. One file per method in rows/, one line in rows/index.ts.
import type { Ask } from './ask.js';
import { estimate, type Estimate, type Outcomes } from './bootstrap.js';
import type { Cost } from './cost.js';
import type { Town } from './town.js';

/** One measured figure beside the claim it stands for. Field names are those of `--json`. */
export interface Figure {
  readonly method: string;
  readonly figure: string;
  /** null where nothing was measured. */
  readonly value: number | null;
  /** 95 %; null where it has no ends (some resamples have no number). */
  readonly interval: readonly [low: number, high: number] | null;
  /** Plain alternatives, measured in the same run. */
  readonly baselines: Readonly<Record<string, number>>;
  /** In words, e.g. "≥ 0.8"; '' where the figure is information. */
  readonly target: string;
  /** null where there is no target or nothing was measured. */
  readonly holds: boolean | null;
  /** Decoder rows per emitted token, over all models. */
  readonly forwardsPerToken: number | null;
  /** Wall time per token ÷ that of the plain large model, both alone on the server. */
  readonly timeRatio: number | null;
  /** How it was measured, where that needs saying, or why it was not. */
  readonly note: string;
}

/** A series of points for a picture: a front, a curve over a weight. */
export interface Curve {
  readonly method: string;
  readonly title: string;
  readonly x: string;
  readonly y: string;
  readonly points: readonly {
    readonly x: number;
    readonly y: number;
    readonly label: string;
    readonly group: string;
  }[];
}

export interface Measured {
  readonly figures: readonly Figure[];
  readonly curves: readonly Curve[];
}

export interface Bench {
  readonly town: Town;
  /** Remembers answers: for effects. */
  readonly ask: Ask;
  /** One request in flight, nothing remembered: for cost. */
  readonly timed: Ask;
  /** The same with eight in flight. */
  readonly timedTogether: Ask;
  /** Test prompts per figure. */
  readonly prompts: number;
  readonly seed: number;
  /** Where the pocket suite lies. */
  readonly suite: string;
}

export interface RowModule {
  /** What `--method` takes. */
  readonly method: string;
  /** The paper's claim, in a sentence. */
  readonly claim: string;
  /** Models or deployments, and decoding methods, that the server must have; with one missing, the row is "not there yet". */
  readonly models: readonly string[];
  readonly decoders: readonly string[];
  /** null: the server may have the method, the scoreboard has no measurement of it. */
  readonly measure: ((bench: Bench) => Promise<Measured>) | null;
}

interface Rest {
  readonly baselines?: Readonly<Record<string, number>>;
  readonly target?: Target;
  readonly cost?: Cost;
  readonly note?: string;
}

/** What is asked of an estimate, in words and as a verdict; what has no number (something ÷ 0) holds nothing. */
export type Target = (estimate: Estimate) => { readonly text: string; readonly holds: boolean };

export const atLeast =
  (bound: number): Target =>
  ({ value }) => ({ text: `≥ ${bound}`, holds: Number.isFinite(value) && value >= bound });
export const above =
  (bound: number): Target =>
  ({ value }) => ({ text: `> ${bound}`, holds: Number.isFinite(value) && value > bound });

export const atMost =
  (bound: number): Target =>
  ({ value }) => ({ text: `≤ ${Number(bound.toFixed(3))}`, holds: Number.isFinite(value) && value <= bound });

export function figure(method: string, name: string, estimate: Estimate, rest: Rest = {}): Figure {
  const { value, interval } = estimate;
  const target = rest.target?.(estimate);
  return {
    method,
    figure: name,
    value: Number.isFinite(value) ? value : null,
    interval: interval.every(Number.isFinite) ? interval : null,
    baselines: Object.fromEntries(Object.entries(rest.baselines ?? {}).filter(([, base]) => Number.isFinite(base))),
    target: target?.text ?? '',
    holds: target?.holds ?? null,
    forwardsPerToken: rest.cost?.forwardsPerToken ?? null,
    timeRatio: rest.cost?.timeRatio ?? null,
    note: rest.note ?? '',
  };
}

/** The mean of one column as a figure, with the means of the other columns as its baselines. */
export function rate(
  method: string,
  name: string,
  outcomes: Outcomes,
  column: string,
  seed: number,
  rest: Rest = {},
): Figure {
  const own = estimate([outcomes], (mean) => mean(column), seed);
  const others = Object.entries(outcomes).filter(([other]) => other !== column);
  const baselines = Object.fromEntries(others.map(([other, values]) => [other, meanOf(values)]));
  return figure(method, name, own, { ...rest, baselines: { ...baselines, ...rest.baselines } });
}

export const meanOf = (values: readonly number[]): number =>
  values.reduce((sum, value) => sum + value, 0) / values.length;

/** A method that the server cannot run, or that the suite has no models for. */
export const absent = (method: string, note: string): Figure => ({
  method,
  figure: '-',
  value: null,
  interval: null,
  baselines: {},
  target: '',
  holds: null,
  forwardsPerToken: null,
  timeRatio: null,
  note,
});
