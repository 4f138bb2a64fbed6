// Registers websockets, once for all routes that speak them: limits of the frames, who may upgrade, how many connections there are, and
// what becomes of them when the server closes. Knows no protocol; a route gets a Channel per connection from `websockets.open`.
import fastifyWebsocket, { type WebSocket } from '@fastify/websocket';
import type { FastifyInstance, FastifyRequest } from 'fastify';
import fastifyPlugin from 'fastify-plugin';
import type { HttpConfig } from '../context.js';
import { AppError } from '../errors.js';
import { shown } from '../wire/shown.js';
import { Channel, type ChannelReader } from './channel.js';
import type { Metrics } from './metrics.js';

/** How long to wait for the other side's part of the closing handshake. */
const closeTimeoutMs = 1000;

const loopback = /^(localhost|127(\.\d{1,3}){3}|\[::1\])$/;
const address = /^(\d{1,3}(\.\d{1,3}){3}|\[[\da-f:.]+\])$/i;

export interface Websockets {
  /** A new connection as a channel; null where it was one too many and has been closed. */
  open(socket: WebSocket, request: FastifyRequest, reader: (channel: Channel) => ChannelReader): Channel | null;
  /** Cuts what is still open: the deadline of a shutdown. */
  cut(): void;
}

declare module 'fastify' {
  interface FastifyInstance {
    websockets: Websockets;
  }
}

export interface WebsocketOptions {
  readonly config: HttpConfig;
  /** Of pages that may connect, at present. */
  readonly origins: () => readonly string[];
  readonly metrics: Metrics;
}

export const websocketPlugin = fastifyPlugin<WebsocketOptions>(
  async (app: FastifyInstance, { config, origins, metrics }) => {
    const { messageBytes, connections } = config.websocket;
    const channels = new Set<Channel>();
    const options = {
      maxPayload: messageBytes,
      // Compression costs 64 KiB and more per connection, and a small frame can unfold to the limit.
      perMessageDeflate: false,
      closeTimeout: closeTimeoutMs,
      // A channel answers pings itself: they count as messages.
      autoPong: false,
      handleProtocols: (offered: Set<string>) => (offered.has(subprotocol) ? subprotocol : false),
    };
    await app.register(fastifyWebsocket, {
      options,
      // Where the frames were at fault, ws has sent the close frame already; anything else is our own mistake.
      errorHandler: (error, socket, request) => {
        if (socket.readyState !== socket.OPEN) return;
        request.log.error({ err: error }, 'a websocket failed');
        socket.close(1011, `request ${request.id}`);
      },
      preClose: (done) => {
        for (const channel of channels) channel.drain();
        done();
      },
    });

    // Who may upgrade is decided before the upgrade, so that a refusal is an ordinary HTTP answer: keys by auth.ts, pages here.
    app.addHook('onRequest', (request, _reply, done) => {
      if (request.ws) {
        const { origin } = request.headers;
        if (origin !== undefined && !mayConnect(origin, request.headers.host, origins())) {
          done(new AppError('origin_not_allowed', { origin: shown(origin, 120) }));
          return;
        }
      }
      done();
    });

    app.decorate('websockets', {
      open(socket, request, reader) {
        if (channels.size >= connections) {
          socket.close(1013, 'too many connections: try again later');
          metrics.websocketClosed(1013);
          return null;
        }
        const channel = new Channel(socket, config, metrics, reader);
        channels.add(channel);
        metrics.websockets(channels.size);
        socket.once('close', () => {
          channels.delete(channel);
          metrics.websockets(channels.size);
        });
        request.log.debug({ connections: channels.size }, 'a websocket was opened');
        return channel;
      },
      cut() {
        for (const socket of app.websocketServer.clients) socket.terminate();
      },
    } satisfies Websockets);
  },
);

export const subprotocol = 'trimtab.v1';

/**
 * A page of this very server passes, where its address cannot be a name that somebody else points at this machine (DNS rebinding): a
 * loopback name or a literal address.
 */
function mayConnect(origin: string, host: string | undefined, allowed: readonly string[]): boolean {
  if (allowed.includes('*') || allowed.includes(origin)) return true;
  if (host === undefined || !URL.canParse(origin) || !URL.canParse(`http://${host}`)) return false;
  const page = new URL(origin);
  const own = new URL(`${page.protocol}//${host}`);
  return page.host === own.host && (loopback.test(own.hostname) || address.test(own.hostname));
}
