// strip, lstrip and rstrip with the characters to strip: the template library ignores that argument and strips white space, so the
// calls that have one are made calls of functions of ours. Knows no messages. Called by template.ts.

const methods = ['strip', 'lstrip', 'rstrip'] as const;
type Method = (typeof methods)[number];

/** No template can write such a name. */
const nameOf = (method: Method): string => `str.${method}`;

interface Node {
  readonly type?: unknown;
  readonly value?: unknown;
  readonly [part: string]: unknown;
}

const isNode = (value: unknown): value is Node => typeof value === 'object' && value !== null;

function methodOf(callee: unknown): Method | undefined {
  if (!isNode(callee) || callee.type !== 'MemberExpression' || callee['computed'] === true) return undefined;
  const { property } = callee as { readonly property?: unknown };
  return isNode(property) ? methods.find((method) => method === property.value) : undefined;
}

/** Changes the parsed template in place. */
export function stripByCharacters(node: unknown): void {
  if (!isNode(node)) return;
  for (const part of Object.values(node)) stripByCharacters(part);
  const { type, callee, args } = node as {
    readonly type?: unknown;
    readonly callee?: unknown;
    readonly args?: unknown;
  };
  if (type !== 'CallExpression' || !Array.isArray(args) || args.length === 0) return;
  const method = methodOf(callee);
  if (method === undefined) return;
  const { object } = callee as { readonly object: unknown };
  Object.assign(node, {
    callee: { type: 'Identifier', value: nameOf(method) },
    args: [object, ...(args as unknown[])],
  });
}

const strips =
  (method: Method) =>
  (text: unknown, characters: unknown): string => {
    if (typeof text !== 'string') throw new Error(`${method}() of what is no string`);
    if (characters !== null && characters !== undefined && typeof characters !== 'string')
      throw new Error(`${method}() argument must be a string or none`);
    const isStripped = (character: string): boolean =>
      typeof characters === 'string' ? characters.includes(character) : character.trim() === '';
    const all = [...text];
    let from = 0;
    let to = all.length;
    if (method !== 'rstrip') while (from < to && isStripped(all[from] as string)) from++;
    if (method !== 'lstrip') while (to > from && isStripped(all[to - 1] as string)) to--;
    return all.slice(from, to).join('');
  };

/** What a rewritten template calls, by name. */
export const stripFunctions: Readonly<Record<string, (text: unknown, characters: unknown) => string>> =
  Object.fromEntries(methods.map((method) => [nameOf(method), strips(method)]));
