// The thread that compiles constraints: schemas and patterns come from clients, so whatever they cost is cut off by service.ts. Always run as
// compiled JavaScript.
import { ConstraintProblem } from '../../decoders/constraint/problem.js';
import { schemaGrammar } from '../../decoders/constraint/schema.js';
import { toolGrammar } from '../tools/grammar.js';
import { shown } from '../wire/shown.js';
import type { ConstraintAnswer, NamedJob } from './jobs.js';

export default function run({ key, job }: NamedJob): ConstraintAnswer {
  try {
    const grammar = job.kind === 'schema' ? schemaGrammar(job.schema, key) : toolGrammar(job, key);
    return { kind: 'grammar', grammar };
  } catch (error) {
    if (!(error instanceof ConstraintProblem)) throw error;
    const { path, problem, value, remedy } = error;
    return { kind: 'problem', path, problem, value: shown(value), remedy };
  }
}
