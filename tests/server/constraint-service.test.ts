// Schemas are compiled in a thread of their own, within a limit: whatever they cost, they cost nobody else.
import { afterAll, describe, expect, test } from 'vitest';
import { ConstraintService } from '../../server/constraint/service.js';
import { AppError } from '../../server/errors.js';

const service = new ConstraintService();
afterAll(() => service.close());
const compile = (schema: unknown) => service.compile({ kind: 'schema', schema }, 'p');
const failure = async (schema: unknown, by = service): Promise<AppError> => {
  const error: unknown = await by.compile({ kind: 'schema', schema }, 'p').then(
    () => null,
    (reason: unknown) => reason,
  );
  if (error instanceof AppError) return error;
  throw new Error(`no refusal: ${String(error)}`);
};

/** Deterministic automata of such patterns are exponential in the number. */
const exploding = { type: 'string', pattern: '(a|b)*a(a|b){24}' };

describe('the constraint service', () => {
  test('compiles once, whoever asks', async () => {
    const schema = { type: 'object', properties: { a: { type: 'string' } } };
    const [one, other] = await Promise.all([compile(schema), compile(structuredClone(schema))]);
    expect(one.key).toBe(other.key);
    expect(await compile(schema)).toBe(await compile(structuredClone(schema)));
    expect((await compile({ type: 'object' })).key).not.toBe(one.key);
  });

  test('what is kept is bounded: the one that was asked for longest ago is compiled anew', async () => {
    const small = new ConstraintService({ keptBytes: 30_000 });
    const ask = (at: number) => small.compile({ kind: 'schema', schema: { const: `${at} ${'x'.repeat(9000)}` } }, 'p');
    try {
      // Three have room.
      const [first, second, third] = [await ask(1), await ask(2), await ask(3)];
      expect(await ask(1)).toBe(first);
      const fourth = await ask(4);
      expect(await ask(3)).toBe(third);
      expect(await ask(1)).toBe(first);
      expect(await ask(4)).toBe(fourth);
      expect(await ask(2)).not.toBe(second);
      expect(await ask(3)).not.toBe(third);
    } finally {
      await small.close();
    }
  });

  test('a schema that explodes is refused in time, and the next one is served', async () => {
    const refused = failure(exploding);
    const next = compile({ type: 'integer' });
    expect((await refused).data).toMatchObject({ status: 400, code: 'invalid_value' });
    expect((await next).lexemes.length).toBeGreaterThan(0);
  });

  test('what takes longer than its limit loses its thread', async () => {
    const short = new ConstraintService({ timeoutMs: 1 });
    try {
      expect((await failure({ type: 'string', maxLength: 3, pattern: '^.{0,400}$' }, short)).message).toContain(
        'takes longer',
      );
      expect((await failure({ type: 'string', maxLength: 3, pattern: '^.{0,401}$' }, short)).message).toContain(
        'takes longer',
      );
    } finally {
      await short.close();
    }
  });

  test('too long, too many parts', async () => {
    expect((await failure({ enum: ['x'.repeat(70_000)] })).message).toMatch(/^p: must have at most 65536 characters/);
    const many = { type: 'array', prefixItems: Array.from({ length: 3500 }, (_, at) => ({ const: at })) };
    expect((await failure(many)).message).toContain('parts');
  });

  test('schemas that joins unfold without end', async () => {
    // Each level has the one below twice.
    const doubled = Object.fromEntries(
      Array.from({ length: 15 }, (_, level) => [
        `d${level}`,
        level === 0
          ? { type: 'string' }
          : {
              anyOf: [
                { type: 'array', items: { $ref: `#/$defs/d${level - 1}` } },
                { type: 'object', properties: { a: { $ref: `#/$defs/d${level - 1}` } } },
              ],
            },
      ]),
    );
    // A schema is kept once, however often it is referred to.
    expect((await compile({ $defs: doubled, $ref: '#/$defs/d14' })).nodes.length).toBeLessThan(1000);
    const joins = Object.fromEntries(
      Array.from({ length: 26 }, (_, level) => [
        `d${level}`,
        level === 0
          ? { minLength: 1 }
          : { allOf: [{ $ref: `#/$defs/d${level - 1}` }, { $ref: `#/$defs/d${level - 1}` }] },
      ]),
    );
    expect((await failure({ $defs: joins, $ref: '#/$defs/d25' })).data.status).toBe(400);
  });
});
