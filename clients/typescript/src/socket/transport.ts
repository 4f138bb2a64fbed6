// A websocket as a platform has it: that of a browser, of Node from version 22 on, or of the package ws. Texts in, texts out, and one end.
import type { TrimtabError } from '../errors.js';
import { ConnectionError, ProtocolError } from '../errors.js';

/** What is needed of a socket. */
export interface WebSocketLike {
  send(data: string): void;
  close(code?: number, reason?: string): void;
  onopen: ((event: never) => void) | null;
  onmessage: ((event: never) => void) | null;
  onerror: ((event: never) => void) | null;
  onclose: ((event: never) => void) | null;
}

export type WebSocketConstructor = new (url: string, protocols?: string[]) => WebSocketLike;

export interface TransportEvents {
  opened(): void;
  message(text: string): void;
  /** Once, whatever happened; nothing comes after it. */
  ended(error: TrimtabError): void;
}

export interface Transport {
  send(text: string): void;
  /** An end that this side wants; `ended` is told the error given here. */
  close(reason: TrimtabError): void;
}

const subprotocol = 'trimtab.v1';
const normal = 1000;

/** Where to, and with which key. */
export interface Address {
  readonly url: string;
  readonly apiKey: string | null;
}

/** A browser sends no headers of ours with a websocket, so the key goes as a subprotocol: base64url, without padding. */
function keyProtocol(apiKey: string): string {
  return `trimtab.key.${btoa(apiKey).replaceAll('+', '-').replaceAll('/', '_').replaceAll('=', '')}`;
}

export function openTransport(Socket: WebSocketConstructor, address: Address, events: TransportEvents): Transport {
  let isOver = false;
  let isOpen = false;
  let said: string | null = null;
  const end = (error: TrimtabError): void => {
    if (isOver) return;
    isOver = true;
    events.ended(error);
  };
  const { url, apiKey } = address;
  const socket = new Socket(url, apiKey === null ? [subprotocol] : [subprotocol, keyProtocol(apiKey)]);
  socket.onopen = () => {
    isOpen = true;
    if (!isOver) events.opened();
  };
  socket.onmessage = ({ data }: { readonly data: unknown }) => {
    if (isOver) return;
    if (typeof data === 'string') events.message(data);
    else close(new ProtocolError('The server sent a binary message.'));
  };
  // Browsers say nothing of the reason; other platforms do.
  socket.onerror = ({ message }: { readonly message?: unknown }) => {
    if (typeof message === 'string' && message !== '') said = message;
  };
  socket.onclose = ({ code, reason }: { readonly code: number; readonly reason: string }) => {
    const why = [`code ${code}`, ...[reason, said].filter((text) => text)].join(', ');
    const what = isOpen ? 'was closed' : 'could not be opened';
    end(new ConnectionError(`The websocket ${what} (${why}).`, { closeCode: code }));
  };
  const close = (reason: TrimtabError): void => {
    end(reason);
    // A socket that is still being opened may refuse, and is closed once it is open.
    try {
      socket.close(normal);
    } catch {
      socket.onopen = () => socket.close(normal);
    }
  };
  const send = (text: string): void => {
    // While it is being opened a socket throws, and nothing that is said then would be of use.
    if (isOpen && !isOver) socket.send(text);
  };
  return { send, close };
}
