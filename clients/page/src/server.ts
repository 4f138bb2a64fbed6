// The server this page came from: the client, one websocket for all decodes that is opened anew when it was lost, and texts of tokens.
import { Trimtab, type Connection } from '@trimtab/client';

export const origin = globalThis.location.origin;
const KEY = 'trimtab.key';

/** As long as the tab is open: a key is no setting. */
export let client = made(sessionStorage.getItem(KEY));

function made(apiKey: string | null): Trimtab {
  return new Trimtab({ baseUrl: origin, maxRetries: 1, ...(apiKey === null ? {} : { apiKey }) });
}

let opening: Promise<Connection> | null = null;

export function takeKey(apiKey: string): void {
  sessionStorage.setItem(KEY, apiKey);
  client = made(apiKey);
  opening = null;
}

export function connection(): Promise<Connection> {
  opening ??= open();
  return opening;
}

async function open(): Promise<Connection> {
  try {
    const opened = await client.connect({ timeoutMs: 10_000 });
    void opened.closed.then(() => (opening = null));
    return opened;
  } catch (error) {
    opening = null;
    throw error;
  }
}

const texts = new Map<string, Promise<string>>();

/** What tokens of a model spell. The same ones are asked about once. */
export function textOf(model: string, tokens: readonly number[]): Promise<string> {
  const key = `${model} ${tokens.join()}`;
  const known = texts.get(key) ?? client.detokenize({ model, tokens });
  texts.set(key, known);
  return known;
}

export const wordsOf = (error: unknown): string => (error instanceof Error ? error.message : String(error));
