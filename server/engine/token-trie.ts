// The tokens of a vocabulary by their bytes, as a tree in one array: nodes in preorder, so that a subtree is a range and leaving it out is a
// jump. Control tokens and tokens without bytes are not in it. Built once per vocabulary; walked by masks.ts.
import type { TokenTable } from './text-stream.js';

export interface TokenTrie {
  /** Of the vocabulary. */
  readonly size: number;
  /** Per node; node 0 is the root. */
  readonly bytes: Uint8Array;
  readonly depths: Uint16Array;
  /** The node after the node's subtree. */
  readonly ends: Int32Array;
  /** The token that ends here, −1 for none. */
  readonly tokens: Int32Array;
  /** Per token: another one with the same bytes, −1 for none. */
  readonly twins: Int32Array;
  readonly deepest: number;
}

/** Longer ones are left out: masks.ts counts their characters in a byte. */
const MAX_BYTES = 250;

export function tokenTrie(table: TokenTable, size = table.size): TokenTrie {
  const texts: { text: string; id: number }[] = [];
  for (let id = 0; id < Math.min(size, table.size); id++) {
    if (table.isSpecial(id)) continue;
    const bytes = table.bytesOf(id);
    if (bytes.length === 0 || bytes.length > MAX_BYTES) continue;
    // One character per byte: strings compare faster than arrays.
    texts.push({ text: Buffer.from(bytes.buffer, bytes.byteOffset, bytes.length).toString('latin1'), id });
  }
  texts.sort((a, b) => (a.text < b.text ? -1 : a.text > b.text ? 1 : a.id - b.id));
  const total = texts.reduce(
    (sum, { text }, at) => sum + text.length - commonLength(text, texts[at - 1]?.text ?? ''),
    1,
  );
  const bytes = new Uint8Array(total);
  const depths = new Uint16Array(total);
  const ends = new Int32Array(total);
  const tokens = new Int32Array(total).fill(-1);
  const twins = new Int32Array(size).fill(-1);
  /** Nodes on the way to the current one, by depth. */
  const path = [0];
  let node = 1;
  let deepest = 0;
  let before = '';
  for (const { text, id } of texts) {
    const common = commonLength(text, before);
    while (path.length - 1 > common) ends[path.pop() as number] = node;
    for (let at = common; at < text.length; at++) {
      bytes[node] = text.charCodeAt(at);
      depths[node] = at + 1;
      path.push(node++);
    }
    const last = path.at(-1) as number;
    twins[id] = tokens[last] as number;
    tokens[last] = id;
    deepest = Math.max(deepest, text.length);
    before = text;
  }
  for (const open of path) ends[open] = node;
  return { size, bytes, depths, ends, tokens, twins, deepest };
}

function commonLength(a: string, b: string): number {
  const limit = Math.min(a.length, b.length);
  let length = 0;
  while (length < limit && a.charCodeAt(length) === b.charCodeAt(length)) length++;
  return length;
}
