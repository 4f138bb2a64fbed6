// Fetches a picture from a host that the operator allows, and from nowhere else: the name is resolved once, every address is vetted, the
// connection goes to a vetted one, redirects go through the same door, bytes and time are capped. Knows no request.
import { lookup } from 'node:dns/promises';
import type { LookupFunction } from 'node:net';
import type { Readable } from 'node:stream';
import ipaddr from 'ipaddr.js';
import { Agent, request } from 'undici';
import { PictureError } from './picture.js';

export interface FetchSettings {
  /** Host names; "*.example.org" is every name below it. */
  readonly hosts: readonly string[];
  readonly maxBytes: number;
  /** For all hops and the whole body together. */
  readonly timeoutMs: number;
}

export interface Address {
  readonly address: string;
  readonly family: number;
}

/** What the network is asked; tests give their own. */
export interface Network {
  readonly resolve: (host: string) => Promise<readonly Address[]>;
  readonly isPublic: (address: string) => boolean;
}

export const network: Network = { resolve: (host) => lookup(host, { all: true }), isPublic };

const MAX_REDIRECTS = 3;
const ALLOW = 'Send the picture as a data: URI.';

/** True for addresses of the open internet only; an IPv4 address written as IPv6 is the IPv4 address. */
export function isPublic(address: string): boolean {
  if (!ipaddr.isValid(address)) return false;
  const parsed = ipaddr.process(address);
  return parsed.range() === 'unicast' && !embedded(parsed).some((inner) => inner.range() !== 'unicast');
}

/** IPv4 addresses that translators would take out of an IPv6 one. */
function embedded(address: ipaddr.IPv4 | ipaddr.IPv6): ipaddr.IPv4[] {
  if (address.kind() === 'ipv4') return [];
  const bytes = address.toByteArray();
  return [bytes.slice(12), bytes.slice(2, 6)].flatMap((four, i) => {
    const isTranslated = i === 0 ? bytes.slice(0, 12).every((byte) => byte === 0) : bytes[0] === 0x20 && bytes[1] === 2;
    return isTranslated ? [new ipaddr.IPv4(four)] : [];
  });
}

export function isAllowed(host: string, hosts: readonly string[]): boolean {
  const name = host.toLowerCase();
  return hosts.some((allowed) => {
    const wanted = allowed.toLowerCase();
    return wanted.startsWith('*.') ? name.endsWith(wanted.slice(1)) : name === wanted;
  });
}

/** The body of a picture, and its declared type. Throws PictureError; what it says names the host and no address. */
export async function fetchPicture(
  url: URL,
  settings: FetchSettings,
  { resolve, isPublic: vetted }: Network = network,
): Promise<{ readonly bytes: Buffer; readonly type: string | null }> {
  const signal = AbortSignal.timeout(settings.timeoutMs);
  let at = url;
  for (let hop = 0; hop <= MAX_REDIRECTS; hop++) {
    const agent = await door(at, signal);
    try {
      const reply = await request(at.href, { dispatcher: agent, signal, headers: { accept: 'image/*' } });
      const { statusCode: status, headers, body } = reply;
      const target = headers['location'];
      if (status >= 300 && status < 400 && typeof target === 'string') {
        await body.dump();
        if (!URL.canParse(target, at.href)) throw new PictureError('its host redirects to no address', ALLOW);
        at = new URL(target, at.href);
        continue;
      }
      if (status !== 200) throw new PictureError(`its host answered with status ${status}`, 'Check the address.');
      const type = headers['content-type'];
      return { bytes: await limited(body), type: typeof type === 'string' ? (type.split(';')[0] ?? '').trim() : null };
    } catch (error) {
      if (error instanceof PictureError) throw error;
      if (signal.aborted) throw slow();
      throw new PictureError('its host cannot be reached', 'Check the address.');
    } finally {
      void agent.destroy();
    }
  }
  throw new PictureError(`its host redirects more than ${MAX_REDIRECTS} times`, ALLOW);

  function slow(): PictureError {
    return new PictureError(`its host takes longer than ${settings.timeoutMs} ms`, ALLOW);
  }

  /** A way to the vetted addresses of one host. */
  async function door(target: URL, until: AbortSignal): Promise<Agent> {
    const { protocol, username, password } = target;
    if (protocol !== 'https:' && protocol !== 'http:')
      throw new PictureError(`its scheme is ${protocol}`, 'Use https or a data: URI.');
    if (username !== '' || password !== '') throw new PictureError('its address holds a password', ALLOW);
    const host = target.hostname.replace(/^\[|\]$/g, '');
    if (!isAllowed(host, settings.hosts))
      throw new PictureError('its host is not among those that the operator allows', ALLOW);
    const addresses = ipaddr.isValid(host)
      ? [{ address: host, family: host.includes(':') ? 6 : 4 }]
      : await named(host);
    if (until.aborted) throw slow();
    // One bad address is enough: a name must not lead to either by chance.
    const [first] = addresses;
    if (first === undefined || !addresses.every(({ address }) => vetted(address)))
      throw new PictureError('its host leads to an address that is not public', ALLOW);
    const pinned: LookupFunction = (_host, { all }, answer) =>
      all ? answer(null, [...addresses]) : answer(null, first.address, first.family);
    return new Agent({ connect: { lookup: pinned, timeout: settings.timeoutMs } });
  }

  async function named(host: string): Promise<readonly Address[]> {
    try {
      return await resolve(host);
    } catch {
      throw new PictureError('its host has no address', 'Check the address.');
    }
  }

  /** Cut where it becomes too long: leaving a loop over the body would wait for its end. */
  async function limited(body: Readable): Promise<Buffer> {
    const chunks: Uint8Array[] = [];
    let length = 0;
    const reading = body[Symbol.asyncIterator]() as AsyncIterator<Uint8Array>;
    for (let next = await reading.next(); next.done !== true; next = await reading.next()) {
      length += next.value.length;
      if (length > settings.maxBytes) {
        body.on('error', () => undefined).destroy();
        throw new PictureError(`it is longer than ${settings.maxBytes} bytes`, 'Send a smaller picture.');
      }
      chunks.push(next.value);
    }
    return Buffer.concat(chunks);
  }
}
