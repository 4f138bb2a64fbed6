// Calls of tools in a model's own format → a grammar: exactly calls where they are demanded, or any text in which every call is well-formed.
// Runs in the constraint worker.
import { GrammarBuilder, literalOf } from '../../decoders/constraint/build.js';
import type { Grammar, Lexeme } from '../../decoders/constraint/grammar.js';
import { ConstraintProblem } from '../../decoders/constraint/problem.js';
import { addSchema, finished, withLimits } from '../../decoders/constraint/schema.js';
import type { ToolFormat } from './format.js';
import { formatNamed } from './formats.js';

export interface ToolGrammar {
  readonly format: string;
  /** Functions that may be called. `place`: where the client declared them, e.g. "[0].function". */
  readonly tools: readonly { readonly place: string; readonly name: string; readonly parameters: unknown }[];
  /** Calls and nothing else; otherwise any text, with calls or without. */
  readonly isDemanded: boolean;
  /** Most calls. */
  readonly most: number;
  /** The marker as one control token of the vocabulary; null where it is text. */
  readonly markerId: number | null;
}

const NO_PARAMETERS = { type: 'object', properties: {}, additionalProperties: false };

export function toolGrammar(job: ToolGrammar, key: string): Grammar {
  return withLimits(() => {
    // Models are taught calls on one line.
    const builder = new GrammarBuilder({ isOneLine: true });
    const format = formatNamed(job.format);
    const call = builder.choice(job.tools.map((tool) => callOf(builder, format, tool)));
    const calls = callsOf(builder, format, job, call);
    const root = job.isDemanded ? builder.sequence(builder.leading, calls) : amongText(builder, format, job, call);
    return finished(builder, root, key);
  });
}

function callOf(
  builder: GrammarBuilder,
  format: ToolFormat,
  { place, name, parameters }: ToolGrammar['tools'][number],
): number {
  try {
    const properties = [
      { key: builder.key('name'), value: builder.literal(JSON.stringify(name)), required: true },
      { key: builder.key(format.argumentsKey), value: addSchema(builder, parameters ?? NO_PARAMETERS), required: true },
    ];
    return builder.object(properties, null);
  } catch (error) {
    if (!(error instanceof ConstraintProblem)) throw error;
    const { path, problem, value, remedy } = error;
    throw new ConstraintProblem(`${place}.parameters${path}`, problem, value, remedy);
  }
}

function callsOf(builder: GrammarBuilder, format: ToolFormat, job: ToolGrammar, call: number): number {
  const { most } = job;
  if (format.marker === null) return call;
  const marker = markerOf(builder, format, job);
  if (format.end === null) return builder.sequence(marker, builder.leading, builder.array(call, 1, most));
  const one = builder.sequence(marker, builder.leading, call, closing(builder, format.end));
  return builder.node({ kind: 'repeat', of: one, separator: builder.lexeme(literalOf('\n')), min: 1, max: most });
}

function markerOf(builder: GrammarBuilder, { marker }: ToolFormat, { markerId }: ToolGrammar): number {
  return markerId === null ? builder.literal(marker ?? '') : builder.node({ kind: 'tokens', ids: [markerId] });
}

const closing = (builder: GrammarBuilder, end: string): number =>
  builder.sequence(builder.leading, builder.literal(end));

/** Any text; what begins as a call goes on as one. */
function amongText(builder: GrammarBuilder, format: ToolFormat, job: ToolGrammar, call: number): number {
  const { marker, end } = format;
  if (marker === null) {
    const noCall = builder.of(builder.raw('^\\s*([^\\s{][\\s\\S]*)?$'));
    return builder.choice([builder.sequence(builder.leading, call), noCall]);
  }
  const silent = builder.of(job.markerId === null ? without(marker) : builder.raw('^[\\s\\S]*$'));
  const whole = builder.reserve();
  const begun =
    job.markerId === null ? builder.of(upTo(marker)) : builder.sequence(silent, markerOf(builder, format, job));
  const rest =
    end === null
      ? builder.sequence(builder.leading, builder.array(call, 1, job.most))
      : builder.sequence(builder.leading, call, closing(builder, end), whole);
  builder.define(whole, { kind: 'choice', of: [silent, builder.sequence(begun, rest)] });
  return whole;
}

/** Bytes in which the marker does not stand, and those that end with its first occurrence: the automaton that looks for it. */
const without = (marker: string): Lexeme => search(marker, false);
const upTo = (marker: string): Lexeme => search(marker, true);

function search(marker: string, finds: boolean): Lexeme {
  const bytes = new TextEncoder().encode(marker);
  const distinct = [...new Set(bytes)];
  const classes = new Uint8Array(256).fill(distinct.length);
  distinct.forEach((byte, at) => (classes[byte] = at));
  const width = distinct.length + 1;
  const states = finds ? bytes.length + 1 : bytes.length;
  const next = new Int32Array(states * width).fill(-1);
  for (let state = 0; state < bytes.length; state++)
    for (let c = 0; c < width; c++) {
      const seen = [...bytes.subarray(0, state), ...(c < distinct.length ? [distinct[c] as number] : [])];
      const length = c < distinct.length ? longestStart(bytes, seen) : 0;
      if (length < states) next[state * width + c] = length;
    }
  const accepts = Uint8Array.from({ length: states }, (_, state) => ((state === bytes.length) === finds ? 1 : 0));
  return { kind: 'table', classes, width, next, accepts };
}

/** How much of the marker's beginning these bytes end with. */
function longestStart(marker: Uint8Array, seen: readonly number[]): number {
  for (let length = Math.min(marker.length, seen.length); length > 0; length--)
    if (seen.slice(-length).every((byte, at) => byte === marker[at])) return length;
  return 0;
}
