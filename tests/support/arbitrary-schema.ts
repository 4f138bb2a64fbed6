// Random JSON Schemas of the supported kind, a small vocabulary with tokens across JSON's borders, and random documents that a constraint
// allows, drawn token by token.
import fc from 'fast-check';
import type { Matcher } from '../../decoders/constraint/matcher.js';
import type { Masks } from '../../server/engine/masks.js';
import type { TokenTable } from '../../server/engine/text-stream.js';

export type JsonSchema = Record<string, unknown>;

const name = fc.constantFrom('a', 'b', 'name', 'size', 'ä"\\', 'x y', 'über', '');
const bounded = (least: string, most: string, top: number): fc.Arbitrary<JsonSchema> =>
  fc.record({ low: fc.option(fc.nat(top)), extra: fc.option(fc.nat(top)) }).map(({ low, extra }) => ({
    ...(low === null ? {} : { [least]: low }),
    ...(extra === null ? {} : { [most]: (low ?? 0) + extra }),
  }));

const numberBounds = fc
  .record({
    low: fc.option(fc.oneof(fc.integer({ min: -300, max: 300 }), fc.constantFrom(-0.5, 0.25, 12.75, 1e-3, 99.99))),
    span: fc.option(fc.integer({ min: 2, max: 2000 })),
    isOpen: fc.boolean(),
  })
  .map(({ low, span, isOpen }) => ({
    ...(low === null ? {} : { [isOpen ? 'exclusiveMinimum' : 'minimum']: low }),
    ...(span === null ? {} : { [isOpen ? 'exclusiveMaximum' : 'maximum']: (low ?? 0) + span }),
  }));

const patterns = [
  '^[a-c]{2,5}$',
  'ab+c',
  '^(red|green)[0-9]?$',
  '[^a-z]$',
  '^"\\\\?\\n*é+$',
  '^(?:\\d{3}-)?\\d{4}$',
  '^.{1,3}$',
];

const json = fc.jsonValue({ maxDepth: 1 }).map((value) => JSON.parse(JSON.stringify(value)) as unknown);

const leaf: fc.Arbitrary<JsonSchema> = fc.oneof(
  fc.constant({ type: 'boolean' }),
  fc.constant({ type: ['string', 'null'] }),
  bounded('minLength', 'maxLength', 6).map((limits) => ({ type: 'string', ...limits })),
  fc.constantFrom(...patterns).map((pattern) => ({ type: 'string', pattern })),
  fc
    .constantFrom('date', 'time', 'date-time', 'email', 'ipv4', 'uuid', 'hostname')
    .map((format) => ({ type: 'string', format })),
  numberBounds.map((limits) => ({ type: 'number', ...limits })),
  numberBounds.map((limits) => ({ type: 'integer', ...limits })),
  fc.integer({ min: 1, max: 40 }).map((multipleOf) => ({ type: 'integer', multipleOf })),
  fc
    .uniqueArray(json, { minLength: 1, maxLength: 4, comparator: 'SameValue', selector: (v) => JSON.stringify(v) })
    .map((values) => ({ enum: values })),
  json.map((value) => ({ const: value })),
);

export const arbitrarySchema: fc.Arbitrary<JsonSchema> = fc.letrec<{ schema: JsonSchema; object: JsonSchema }>(
  (tie) => ({
    object: fc
      .record({
        properties: fc.dictionary(name, tie('schema'), { maxKeys: 4, noNullPrototype: true }),
        optional: fc.array(fc.boolean(), { minLength: 8, maxLength: 8 }),
        others: fc.oneof(fc.constant(undefined), fc.constant(false), leaf),
      })
      .map(({ properties, optional, others }) => ({
        type: 'object',
        properties,
        required: Object.keys(properties).filter((_, at) => optional[at]),
        ...(others === undefined ? {} : { additionalProperties: others }),
      })),
    schema: fc.oneof(
      { maxDepth: 3, withCrossShrink: true },
      leaf,
      tie('object'),
      fc
        .tuple(tie('schema'), bounded('minItems', 'maxItems', 3))
        .map(([items, limits]) => ({ type: 'array', items, ...limits })),
      fc
        .tuple(fc.array(tie('schema'), { minLength: 1, maxLength: 3 }), fc.nat(3), fc.boolean())
        .map(([prefixItems, min, isOpen]) => ({
          type: 'array',
          prefixItems,
          minItems: isOpen ? min : Math.min(min, prefixItems.length),
          items: isOpen ? { type: 'integer' } : false,
        })),
      fc.array(tie('schema'), { minLength: 1, maxLength: 3 }).map((anyOf) => ({ anyOf })),
    ),
  }),
).schema;

const words = [
  '{"',
  '": ',
  '":',
  '", "',
  '", ',
  '"}',
  '": "',
  '},',
  ']}',
  '[',
  '[]',
  '{}',
  '"]',
  'true',
  'false',
  'null',
  'name',
  ' 12',
  '20',
  '-0',
  '.5',
  '00',
  '1e',
  'ab',
  'bc',
  'red',
  '\n  ',
  '  ',
  '\\"',
  '\\u00',
  'é"',
  'ä',
  '"ä',
  'x y',
  ', "a": ',
  '1,',
  '2]',
  '3}',
  '"\n',
  '\n}',
  '"a": [1, {"b',
];
const texts = [
  ...Array.from({ length: 256 }, (_, byte) => Uint8Array.of(byte)),
  ...words.map((word) => new TextEncoder().encode(word)),
];
/** Ends an answer. */
export const SMALL_END = texts.length;
/** All bytes, some words, and a control token. */
export const smallTable: TokenTable = {
  size: texts.length + 1,
  bytesOf: (id) => texts[id] ?? new TextEncoder().encode('<end>'),
  isSpecial: (id) => id === SMALL_END,
  dropsLeadingSpace: false,
};

/** A document that the constraint allows; null where it has not ended in `steps` tokens. */
export function drawDocument(
  matcher: Matcher,
  masks: Masks,
  table: TokenTable,
  end: number,
  random: () => number,
  steps = 400,
): string | null {
  const bytes: number[] = [];
  let state = matcher.start;
  for (let step = 0; step < steps; step++) {
    const { allowed, count } = masks.mask(matcher, state, [end]);
    if (state.ends && (state.places.length === 0 || random() < 0.5))
      return new TextDecoder('utf-8', { fatal: true }).decode(Uint8Array.from(bytes));
    if (count === 0) throw new Error(`a blind alley after ${JSON.stringify(Buffer.from(bytes).toString())}`);
    const ids = [...allowed.keys()].filter((id) => allowed[id] === 1 && id !== end);
    // What closes something comes more often, so that documents end.
    const closing = ids.filter((id) => /^["\]}]/.test(Buffer.from(table.bytesOf(id)).toString('latin1')));
    const from = closing.length > 0 && random() < 0.4 ? closing : ids;
    const id = from[Math.floor(random() * from.length)] as number;
    const next = matcher.bytes(state, table.bytesOf(id));
    if (!next)
      throw new Error(
        `a token that is not allowed after ${Buffer.from(bytes).toString()}: ${Buffer.from(table.bytesOf(id)).toString()}`,
      );
    bytes.push(...table.bytesOf(id));
    state = next;
  }
  return null;
}
