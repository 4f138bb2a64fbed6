// Fills the declared defaults into a parsed document, through records and lists too (typebox's own Value.Default stops at records). Leaves
// everything that is wrong as it is, for the check that follows.

type Json = { readonly [key: string]: unknown };

const isObject = (value: unknown): value is Json =>
  typeof value === 'object' && value !== null && !Array.isArray(value);

export function fillDefaults(schema: unknown, value: unknown): unknown {
  if (!isObject(schema)) return value;
  const present = value === undefined ? structuredClone(schema['default']) : value;
  if (Array.isArray(present)) return present.map((item: unknown) => fillDefaults(schema['items'], item));
  if (!isObject(present)) return present;
  const properties = isObject(schema['properties']) ? schema['properties'] : {};
  const patterns = isObject(schema['patternProperties']) ? Object.values(schema['patternProperties']) : [];
  const keys = new Set([...Object.keys(properties), ...Object.keys(present)]);
  const entries: [string, unknown][] = [];
  for (const key of keys) {
    const own = Object.hasOwn(present, key) ? present[key] : undefined;
    const filled = fillDefaults(Object.hasOwn(properties, key) ? properties[key] : patterns[0], own);
    if (filled !== undefined) entries.push([key, filled]);
  }
  // fromEntries defines own properties, so a key such as __proto__ stays an ordinary (unknown) key.
  return Object.fromEntries(entries);
}
