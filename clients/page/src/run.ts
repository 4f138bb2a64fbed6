// One answer as the page knows it: what a stream's events have told so far. Pure; decode.ts feeds it, the views draw it.
import type { DecodingReport, SearchTrace, StreamEvent, TokenTrace, Usage } from '@trimtab/client';

/** A piece of text, and how the token that brought it came about, where that is known. */
export interface Piece {
  readonly text: string;
  readonly trace: TokenTrace | null;
}

/** A change of weights while it decoded. */
export interface Turn {
  /** The first piece that the change acts on. */
  readonly at: number;
  readonly formula: string;
}

export type Phase = 'idle' | 'waiting' | 'running' | 'done' | 'stopped' | 'failed';

export interface Run {
  readonly phase: Phase;
  readonly pieces: readonly Piece[];
  /** Traces whose text has not come: it may be a part of a character, or of a stop string. */
  readonly untold: readonly TokenTrace[];
  readonly story: readonly SearchTrace[];
  /** The story, or the traces, have ended before the answer. */
  readonly isCut: boolean;
  readonly turns: readonly Turn[];
  readonly finish: string | null;
  readonly usage: Usage | null;
  readonly report: DecodingReport | null;
  /** What went wrong, in the server's words. */
  readonly failure: string | null;
  readonly startedMs: number;
  readonly firstMs: number | null;
  readonly endedMs: number | null;
}

export const idle: Run = {
  phase: 'idle',
  pieces: [],
  untold: [],
  story: [],
  isCut: false,
  turns: [],
  finish: null,
  usage: null,
  report: null,
  failure: null,
  startedMs: 0,
  firstMs: null,
  endedMs: null,
};

export const begun = (nowMs: number): Run => ({ ...idle, phase: 'waiting', startedMs: nowMs });

export function after(run: Run, event: StreamEvent, nowMs: number): Run {
  switch (event.type) {
    case 'trace':
      return { ...run, untold: [...run.untold, event.trace] };
    case 'text':
      return {
        ...run,
        phase: 'running',
        firstMs: run.firstMs ?? nowMs,
        pieces: [...run.pieces, ...piecesOf(event.text, run.untold)],
        untold: [],
      };
    case 'search':
      return { ...run, phase: 'running', story: [...run.story, event.entry] };
    case 'trace_cut':
      return { ...run, isCut: true };
    case 'updated':
      return { ...run, turns: [...run.turns, { at: run.pieces.length, formula: event.formula }] };
    case 'finished':
      return { ...run, finish: event.finish_reason };
    case 'done':
      return { ...run, phase: 'done', usage: event.usage, report: event.decoding, endedMs: nowMs };
    case 'tool_call':
    case 'tool_arguments':
    case 'started':
    case 'prompt':
    case 'token':
    case 'commit':
    case 'rewind':
    case 'paused':
      return run;
    default:
      return event satisfies never;
  }
}

export const stopped = (run: Run, nowMs: number): Run => ({ ...run, phase: 'stopped', endedMs: nowMs });
export const failed = (run: Run, failure: string, nowMs: number): Run => ({
  ...run,
  phase: 'failed',
  failure,
  endedMs: nowMs,
});

/** A text goes to its tokens where their own texts make it up; otherwise, as within a character, it is one piece of the last of them. */
function piecesOf(text: string, traces: readonly TokenTrace[]): Piece[] {
  if (text === '') return [];
  const [only] = traces;
  if (only === undefined || traces.length === 1) return [{ text, trace: only ?? null }];
  return traces.map(({ token }) => token).join('') === text
    ? traces.map((trace) => ({ text: trace.token, trace }))
    : [{ text, trace: traces.at(-1) ?? null }];
}

export interface Speed {
  /** Milliseconds from asking to the first text; null before it. */
  readonly firstTextMs: number | null;
  /** Tokens a second after the first text; null where there is nothing to divide, and of a search, whose texts come in lumps. */
  readonly tokensPerSecond: number | null;
  /** From asking to the end; null before it. */
  readonly wholeMs: number | null;
}

export function speedOf({ startedMs, firstMs, endedMs, usage, pieces, story }: Run, nowMs: number): Speed {
  const wholeMs = endedMs === null ? null : endedMs - startedMs;
  if (firstMs === null) return { firstTextMs: null, tokensPerSecond: null, wholeMs };
  const seconds = ((endedMs ?? nowMs) - firstMs) / 1000;
  const later = story.length > 0 ? 0 : (usage?.completion_tokens ?? pieces.length) - 1;
  const tokensPerSecond = later > 0 && seconds > 0 ? later / seconds : null;
  return { firstTextMs: firstMs - startedMs, tokensPerSecond, wholeMs };
}
