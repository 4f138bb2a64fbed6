// What crosses between the constraint service (main thread) and its worker. Plain data.
import type { Grammar } from '../../decoders/constraint/grammar.js';
import type { ToolGrammar } from '../tools/grammar.js';

export type ConstraintJob =
  | { readonly kind: 'schema'; readonly schema: unknown }
  /** Calls of tools in a model's own format. */
  | ({ readonly kind: 'tools' } & ToolGrammar);

export type ConstraintAnswer =
  | { readonly kind: 'grammar'; readonly grammar: Grammar }
  /** What is wrong, and where inside of what was sent. */
  | {
      readonly kind: 'problem';
      readonly path: string;
      readonly problem: string;
      readonly value: string;
      readonly remedy: string;
    };

/** A job with the name of its grammar. */
export interface NamedJob {
  readonly key: string;
  readonly job: ConstraintJob;
}
