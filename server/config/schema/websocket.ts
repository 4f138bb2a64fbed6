// The section `websocket`: who may open one, how much may run on it, and when a slow or silent one is closed.
import { Type } from 'typebox';
import { closed, mebibyte, seconds } from './common.js';

export const Websocket = Type.Object(
  {
    origins: Type.Array(Type.String({ minLength: 1 }), {
      default: [],
      maxItems: 256,
      description:
        'Pages that may open a websocket, by origin such as "https://chat.example.org"; "*" allows all. Programs, which send no Origin, and pages of this server itself always may.',
    }),
    connections: Type.Integer({
      default: 1024,
      minimum: 0,
      description: 'Open websockets; further ones are closed with 1013 (connections).',
    }),
    decodes: Type.Integer({
      default: 64,
      minimum: 1,
      description: 'Decodes that may run on one websocket (requests).',
    }),
    messageBytes: Type.Integer({
      default: 4 * mebibyte,
      minimum: 1024,
      description: 'Largest message of a client; a larger one closes the websocket with 1009 (bytes).',
    }),
    messagesPerSecond: Type.Number({
      default: 100,
      minimum: 1,
      description:
        'Messages that one client may send, on average, with a burst of twice as many; more close the websocket with 1008 (messages per second).',
    }),
    queueBytes: Type.Integer({
      default: mebibyte,
      minimum: 1024,
      description: 'What may wait for a slow reader before its decodes stand still (bytes).',
    }),
    idleMs: Type.Integer({
      default: 60 * seconds,
      minimum: 100,
      description:
        'A websocket from which nothing has come for this long, not even an answer to a ping, is closed with 1001 (ms).',
    }),
    pauseMs: Type.Integer({
      default: 300 * seconds,
      minimum: 10,
      description: 'Longest time that a decode may wait for credit; it keeps its rows meanwhile (ms).',
    }),
  },
  { ...closed, default: {}, description: 'Websockets.' },
);
