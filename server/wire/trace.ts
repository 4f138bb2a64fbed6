// How tokens came about, in the form that clients see: `decoding_trace` of a choice, for requests that ask for it. Members and experts go
// by the names that `explain` gives them.
import { membersOf, viewsOf, type Expr, type Scores } from '../../decoders/expr.js';
import { print, printView } from '../../decoders/print.js';
import type { SearchTrace } from '../../decoders/search.js';
import type { TokenTrace } from './decode.js';
import { finite } from './logprobs.js';

export interface WireTokenTrace {
  readonly token: string;
  readonly token_id: number;
  /** The token's log-probability by each member alone. */
  readonly members: Readonly<Record<string, number>>;
  /** From the first member to the distribution, in nats. */
  readonly kl: number;
  /** Of dynamic fusion: expert to weight. */
  readonly weights?: Readonly<Record<string, number>>;
  /** The experts whose weight stands at its bound; there where `weights` is. */
  readonly at_bound?: readonly string[];
  readonly kept: number;
  readonly drafted: boolean;
  readonly accepted: boolean;
}

export interface WireTrace {
  readonly decoding_trace?: readonly WireTokenTrace[];
  /** There: the answer goes on, the trace does not (limits.traceTokens). */
  readonly decoding_trace_cut?: true;
  /** The story of a search: its candidates, its tree. */
  readonly search_trace?: readonly SearchTrace[];
  readonly search_trace_cut?: true;
}

const lossy = new TextDecoder('utf-8', { ignoreBOM: true });

export class TraceWriter {
  readonly #members: readonly string[];
  readonly #experts: readonly string[];

  constructor(distribution: Scores) {
    this.#members = distinct(viewsOf(distribution).map(printView));
    this.#experts = expertNames(distribution);
  }

  write(traces: readonly TokenTrace[], isCut: boolean): WireTrace & Required<Pick<WireTrace, 'decoding_trace'>> {
    return {
      decoding_trace: traces.map((trace) => this.#token(trace)),
      ...(isCut ? { decoding_trace_cut: true as const } : {}),
    };
  }

  #token({ id, bytes, members, kl, weights, atBound, kept, drafted, accepted }: TokenTrace): WireTokenTrace {
    const named = (names: readonly string[], values: readonly number[]): Record<string, number> =>
      Object.fromEntries(names.map((name, index) => [name, values[index] ?? 0]));
    return {
      token: lossy.decode(bytes),
      token_id: id,
      members: named(this.#members, members.map(finite)),
      kl,
      ...(weights.length > 0
        ? {
            weights: named(this.#experts, weights),
            at_bound: atBound.flatMap((expert) => this.#experts[expert] ?? []),
          }
        : {}),
      kept,
      drafted,
      accepted,
    };
  }
}

export function storyOf(entries: readonly SearchTrace[], isCut: boolean): WireTrace {
  return { search_trace: entries, ...(isCut ? { search_trace_cut: true as const } : {}) };
}

export function joinTraces(a: WireTrace, b: WireTrace): WireTrace {
  const joined = <T>(one: readonly T[] | undefined, other: readonly T[] | undefined): readonly T[] | undefined =>
    one && other ? [...one, ...other] : (one ?? other);
  const [tokens, story] = [joined(a.decoding_trace, b.decoding_trace), joined(a.search_trace, b.search_trace)];
  return { ...a, ...b, ...(tokens ? { decoding_trace: tokens } : {}), ...(story ? { search_trace: story } : {}) };
}

/** Of all dynamic fusions, in the order in which their weights are numbered. */
export function expertNames(distribution: Scores): string[] {
  return distinct(expertsOf(distribution));
}

/** Names are keys: of equal ones the second and later are numbered. */
function distinct(names: readonly string[]): string[] {
  const seen = new Map<string, number>();
  return names.map((name) => {
    const count = (seen.get(name) ?? 0) + 1;
    seen.set(name, count);
    return count === 1 ? name : `${name} #${count}`;
  });
}

/** One per bound, in the order in which slots are numbered. */
function expertsOf(expr: Expr): string[] {
  const own = expr.kind === 'fused' ? expr.experts.map(expertName) : [];
  return [...own, ...membersOf(expr).flatMap(expertsOf)];
}

function expertName(expert: Expr): string {
  return expert.kind === 'logSoftmax' && expert.of.kind === 'logits' ? printView(expert.of.view) : print(expert);
}
