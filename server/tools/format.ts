// What a family of models makes of tools: how its template is known, how a call is written, and what is said to a model whose template knows
// none. One file per family (hermes, llama3, mistral); grammar.ts and parser.ts read these tables and know no family by name.

/** A function that the model may call, as the client declared it. */
export interface Tool {
  readonly name: string;
  readonly description: string | null;
  /** A JSON Schema; null where the client gave none: no parameters. */
  readonly parameters: Readonly<Record<string, unknown>> | null;
  readonly strict: boolean;
  /** In the list of tools: "[0].function". */
  readonly place: string;
}

export interface ToolFormat {
  readonly name: string;
  /** Does this chat template write calls so? */
  readonly recognises: (template: string) => boolean;
  /** What begins calls; null where a call is the whole answer. It may be one control token of the vocabulary. */
  readonly marker: string | null;
  /** Each call has its own marker and ends with this; null where one marker comes before a JSON list of calls. */
  readonly end: string | null;
  /** The key under which a call has its arguments. */
  readonly argumentsKey: 'arguments' | 'parameters';
  /** Several calls in one answer. */
  readonly isParallel: boolean;
  /** For a template that knows no tools: goes before the system turn. */
  readonly describe: (definitions: readonly string[]) => string;
}

/** As templates are given it. */
export function definitionOf({ name, description, parameters }: Tool): object {
  const fallback = { type: 'object', properties: {} };
  const shape = { name, ...(description === null ? {} : { description }), parameters: parameters ?? fallback };
  return { type: 'function', function: shape };
}
