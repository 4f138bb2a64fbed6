// JSON.parse keeps the last of two equal keys in silence, and of two models of one name serves one: this finds them. Called by config.ts.

interface Level {
  /** Null in a list. */
  readonly keys: Set<string> | null;
  /** The key that the object or list is the value of, '' for an element. */
  readonly name: string;
}

/** Where a key stands for the second time in its object, e.g. "models.large.path"; null where none does. `text` is known to be JSON. */
export function firstDuplicate(text: string): string | null {
  const levels: Level[] = [];
  let name = '';
  let isKey = false;
  for (let at = 0; at < text.length; at++) {
    switch (text.charAt(at)) {
      case '{':
      case '[':
        isKey = text.charAt(at) === '{';
        levels.push({ keys: isKey ? new Set() : null, name });
        name = '';
        break;
      case '}':
      case ']':
        levels.pop();
        isKey = false;
        break;
      case ',':
        isKey = levels.at(-1)?.keys !== null;
        name = '';
        break;
      case '"': {
        const start = at;
        for (at++; text[at] !== '"'; at++) if (text[at] === '\\') at++;
        const keys = levels.at(-1)?.keys;
        if (!isKey || !keys) break;
        isKey = false;
        name = JSON.parse(text.slice(start, at + 1)) as string;
        if (keys.has(name)) return [...levels.map((level) => level.name), name].filter((part) => part !== '').join('.');
        keys.add(name);
        break;
      }
      default:
        break;
    }
  }
  return null;
}
