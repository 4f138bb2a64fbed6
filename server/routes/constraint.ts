// A `response_format` → what the engine is to keep to. Called by every text route.
import type { Grammar } from '../../decoders/constraint/grammar.js';
import type { AppContext } from '../context.js';
import { readFormat } from '../wire/response-format.js';

export async function formatConstraint(
  { constraints }: Pick<AppContext, 'constraints'>,
  format: Readonly<Record<string, unknown>> | null | undefined,
  param: 'response_format' | 'text.format' = 'response_format',
): Promise<Grammar | null> {
  const read = readFormat(format, param);
  return read && constraints.compile({ kind: 'schema', schema: read.schema }, read.param);
}
