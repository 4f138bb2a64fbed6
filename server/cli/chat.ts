// trimtab chat: a conversation in the terminal. Starts a server of its own in this process, or speaks to one that runs; reads lines from the
// terminal or, one question each, from a pipe. What the lines do is in chat-session.ts.
import { createHash, randomBytes } from 'node:crypto';
import { createInterface } from 'node:readline';
import { WebSocket } from 'undici';
import { ApiError, Trimtab, TrimtabError } from '../../clients/typescript/src/index.js';
import { loadConfig, type Config } from '../config.js';
import { type ApiKey, unbounded } from '../config/keys.js';
import { AppError } from '../errors.js';
import { ChatSession, type ChatEnds } from './chat-session.js';
import type { CommandContext } from './command.js';
import { exitCodes } from './failure.js';
import { Progress } from './progress.js';
import { legend } from './steering-colors.js';
import { plainStyle, styleFor, type Input, type Output } from './terminal.js';

export interface ChatOptions {
  readonly url?: string;
  readonly apiKey?: string;
  readonly config?: string;
  readonly model?: string;
  readonly color: boolean;
  readonly threads?: number;
}

interface Server {
  readonly url: string;
  readonly apiKey: string | null;
  close(): Promise<void>;
}

export async function chatCommand(options: ChatOptions, context: CommandContext): Promise<void> {
  const { stdin, stdout, stderr } = context;
  const server = await serverFor(options, stderr);
  try {
    const client = new Trimtab({
      baseUrl: server.url,
      webSocket: WebSocket,
      ...(server.apiKey === null ? {} : { apiKey: server.apiKey }),
    });
    const model = options.model ?? (await firstModel(client));
    const { formula } = await client.explain(model);
    const connection = await client.connect().catch(() => null);
    const style = options.color ? styleFor(stdout) : plainStyle;
    const ends: ChatEnds = { client, connection, out: stdout, style };
    const session = new ChatSession(ends, model);
    try {
      if (stdin.isTTY === true) {
        stdout.write(`${style.bold(model)} = ${formula}\n${greeting(ends)}`);
        await atTerminal(session, stdin, ends);
      } else if (!(await fromPipe(session, stdin))) context.setExitCode(exitCodes.failed);
    } finally {
      await connection?.close();
    }
  } catch (error) {
    throw explained(error, server.url);
  } finally {
    await server.close();
  }
}

function explained(error: unknown, url: string): unknown {
  if (!(error instanceof TrimtabError)) return error;
  const code = error instanceof ApiError ? 'server_refused' : 'server_unreachable';
  return new AppError(code, { url, reason: error.message }, { cause: error });
}

async function serverFor({ url, apiKey, config, threads }: ChatOptions, stderr: Output): Promise<Server> {
  if (url !== undefined) return { url, apiKey: apiKey ?? null, close: async () => undefined };
  const key = randomBytes(24).toString('hex');
  const progress = new Progress(stderr);
  const loaded = loadConfig({
    ...(config === undefined ? {} : { path: config }),
    ...(threads === undefined ? {} : { threads }),
  });
  // Only here: it brings the whole server along.
  const { startServer } = await import('../main.js');
  const server = await startServer(ownServer(loaded, key), {
    onProgress: (model, stage, part) => progress.report(`${model}: ${stage}`, part),
  });
  try {
    await server.ready;
  } catch (error) {
    await server.close();
    throw error;
  } finally {
    progress.clear();
  }
  return { url: server.url, apiKey: key, close: () => server.close() };
}

/** On a free port of this machine, and with a key of its own: other users of the machine reach the port too. */
function ownServer(config: Config, key: string): Config {
  const sha256 = createHash('sha256').update(key).digest('hex');
  const own: ApiKey = {
    name: 'chat',
    sha256,
    scopes: ['use'],
    ...unbounded,
  };
  return {
    ...config,
    server: { ...config.server, host: '127.0.0.1', port: 0 },
    auth: { ...config.auth, keys: [own] },
    limits: { ...config.limits, drainTimeoutMs: 0 },
  };
}

/** A deployment before a model: steering is what there is to see. */
async function firstModel(client: Trimtab): Promise<string> {
  const models = await client.models();
  const first = models.find(({ kind }) => kind === 'deployment') ?? models[0];
  if (first === undefined) throw new Error('The server has no models.');
  return first.id;
}

function greeting({ connection, style, out }: ChatEnds): string {
  const colors = style === plainStyle || out.isTTY !== true ? '' : `${legend(style)}\n`;
  const live = connection === null ? 'no websocket here: weights change between answers only. ' : '';
  return `${colors}${style.dim(`${live}/help lists the commands`)}\n`;
}

async function atTerminal(session: ChatSession, stdin: Input, { out, style }: ChatEnds): Promise<void> {
  const lines = createInterface({
    input: stdin,
    output: out as NodeJS.WritableStream & Output,
    terminal: true,
    prompt: `${style.green('›')} `,
  });
  lines.on('SIGINT', () => {
    if (session.isAnswering) return session.abort();
    out.write(`\n${style.dim('Ctrl-D or /quit ends the chat')}\n`);
    lines.prompt();
  });
  const closed = new Promise<void>((resolve) => lines.once('close', resolve));
  lines.on('line', (line) => {
    void session.take(line).then(() => {
      if (session.wantsEnd) lines.close();
      else if (!session.isAnswering) lines.prompt();
    });
  });
  lines.prompt();
  await closed;
  session.abort();
}

/** One question a line, one after the other. False where one failed. */
async function fromPipe(session: ChatSession, stdin: Input): Promise<boolean> {
  for await (const line of createInterface({ input: stdin, crlfDelay: Infinity })) {
    await session.take(line);
    if (session.wantsEnd) break;
  }
  return session.isWell;
}
