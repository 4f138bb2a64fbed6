// trimtab chat: what lines do, what is shown of an answer, and the built program with questions from a pipe. Real pocket server; a recorder
// in place of the terminal.
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import path from 'node:path';
import { Readable } from 'node:stream';
import { WebSocket } from 'undici';
import { afterAll, beforeAll, describe, expect, it, vi } from 'vitest';
import { Trimtab, type ChatRequest, type Connection, type TokenTrace } from '../../clients/typescript/src/index.js';
import { AnswerPrinter, traceTable } from '../../server/cli/answer-printer.js';
import { findNumber, mergePatches, numbersOf, patchOf } from '../../server/cli/chat-settings.js';
import { ChatSession } from '../../server/cli/chat-session.js';
import { runCommandLine } from '../../server/cli/program.js';
import { legend, paintSteered } from '../../server/cli/steering-colors.js';
import { plainStyle, styleFor } from '../../server/cli/terminal.js';
import { root, serve, type Served } from '../support/served.js';

class Screen {
  text = '';
  readonly isTTY = true;
  /** Called with everything that is written. */
  onWrite: (text: string) => void = () => undefined;
  write(text: string): void {
    this.text += text;
    this.onWrite(text);
  }
}

// Whoever runs the tests may want none; what is tested here are the colours of a terminal that shows them.
vi.stubEnv('NO_COLOR', undefined);
const color = /\u001b\[38;5;\d+m/;

describe('the numbers of a spec', () => {
  const spec = { method: 'rain', looks: 4, inner: { method: 'eft', weight: 0.6 }, other: { weight: 3 } };
  it('are found by path, the outermost first', () => {
    expect(numbersOf(spec).map(({ path: at }) => at)).toEqual(['looks', 'inner.weight', 'other.weight']);
    expect(findNumber(spec, 'weight')).toEqual({ path: 'inner.weight', value: 0.6 });
    expect(findNumber(spec, 'other.weight')?.value).toBe(3);
    expect(findNumber(spec, 'eight')).toBeUndefined();
  });
  it('become patches, of which the later wins', () => {
    expect(patchOf('inner.weight', 2)).toEqual({ inner: { weight: 2 } });
    expect(mergePatches({ inner: { weight: 1, a: 1 } }, patchOf('inner.weight', 2))).toEqual({
      inner: { weight: 2, a: 1 },
    });
  });
});

describe('an answer on the screen', () => {
  const trace = (token: string, kl: number): TokenTrace => ({
    token,
    token_id: 1,
    members: { large: Math.log(0.5), small: Math.log(0.01) },
    kl,
    kept: 10,
    drafted: false,
    accepted: false,
  });
  const told = (
    screen: { write(text: string): unknown; readonly isTTY?: boolean },
    ...texts: readonly [string, TokenTrace[]][]
  ) => {
    const printer = new AnswerPrinter(screen, styleFor({ ...screen, write: () => undefined }));
    for (const [text, traces] of texts) {
      for (const one of traces) printer.take({ type: 'trace', choice: 0, trace: one });
      printer.take({ type: 'text', choice: 0, text, position: null });
    }
    return printer;
  };
  it('each token has the colour of its own steering, and little steering has none', () => {
    const screen = new Screen();
    told(screen, ['a bc', [trace('a ', 0.01), trace('bc', 3)]]);
    expect(screen.text).toBe(`a ${paintSteered('bc', 3, styleFor(screen))}`);
    expect(screen.text).toMatch(color);
    expect(paintSteered('x', 0.2, styleFor(screen))).not.toBe(paintSteered('x', 0.19, styleFor(screen)));
  });
  it('a text that its tokens do not make up takes the colour of the last', () => {
    const screen = new Screen();
    told(screen, ['é', [trace('\ufffd', 0), trace('\ufffd', 2)]]);
    expect(screen.text).toBe(paintSteered('é', 2, styleFor(screen)));
  });
  it('escape sequences of a model do not reach the terminal, but a file gets the text as it is', () => {
    const screen = new Screen();
    const text = 'a\u001b]0;title\u0007b\u009b2J\nc\td';
    expect(told(screen, [text, []]).text).toBe(text);
    told(screen, [text, [trace(text, 3)]]);
    expect(screen.text.replaceAll(/\u001b\[(38;5;\d+|39)m/g, '')).not.toMatch(
      /[\u0000-\u0008\u000b-\u001f\u007f-\u009f]/,
    );
    let file = '';
    told({ write: (part) => (file += part) }, [text, []]);
    expect(file).toBe(text);
  });
  it('tells the members apart', () => {
    expect(traceTable([trace('hi', 0.5)], plainStyle)).toBe('"hi"     0.50 nats  large 50 %  small 1.0 %');
    expect(legend(styleFor(new Screen()))).toMatch(color);
  });
});

describe('a conversation with the suite in the box', () => {
  let served: Served;
  let client: Trimtab;
  let connection: Connection;
  beforeAll(async () => {
    served = await serve();
    client = new Trimtab({ baseUrl: served.url, webSocket: WebSocket });
    connection = await client.connect();
  });
  afterAll(async () => {
    await connection?.close();
    await served?.stop();
  });

  const question = 'Can you tell me what Tar Alley smells of?';
  const begin = (overWebsocket = true, fields: Partial<ChatRequest> = {}) => {
    const screen = new Screen();
    const ends = {
      client,
      connection: overWebsocket ? connection : null,
      out: screen,
      style: styleFor(screen),
      fields,
    };
    return { screen, session: new ChatSession(ends, 'pocket-eft') };
  };

  it('answers, with colours and a closing line; the same seed gives the same answer over HTTP', async () => {
    const shown = [];
    for (const overWebsocket of [true, false]) {
      const { screen, session } = begin(overWebsocket);
      await session.take('/seed 7');
      await session.take(question);
      expect(session.isWell).toBe(true);
      expect(screen.text).toMatch(color);
      expect(screen.text).toMatch(
        /pocket \+ 0\.6·\(pocket-chat − pocket-small\) · \d+ tokens, \d+\/s · steered by \d\.\d\d nats a token · seed 7/,
      );
      shown.push(screen.text.split('\n').filter((line) => !line.includes('nats a token')));
    }
    expect(shown[0]).toEqual(shown[1]);
  });

  it('a weight turns the next answer, /plain asks the first model alone, and both are told', async () => {
    const { screen, session } = begin();
    for (const line of ['/seed 7', '/temperature 0', question, '/weight 0.1', '/again', '/plain', '/explain'])
      await session.take(line);
    expect(session.isWell).toBe(true);
    for (const part of [
      'pocket + 0.6·(',
      'pocket + 0.1·(',
      'pocket alone:',
      'the most steered tokens of the last answer, pocket',
    ])
      expect(screen.text).toContain(part);
    expect(screen.text).toMatch(/steered by 0\.00 nats a token/);
  });

  it('a weight turns an answer while it is written; Ctrl-C ends it and the chat goes on', async () => {
    const { screen, session } = begin(true, { ignore_eos: true, max_tokens: 400 });
    const turns: Promise<void>[] = [];
    screen.onWrite = () => {
      if (!session.isAnswering || turns.length > 0) return;
      turns.push(session.take('/weight 2').finally(() => session.abort()));
    };
    await session.take(question);
    await Promise.all(turns);
    expect(screen.text).toContain('⟨pocket + 2·(pocket-chat − pocket-small)⟩');
    expect(screen.text).toContain('(ended)');
    expect([session.isWell, session.isAnswering]).toEqual([true, false]);
    screen.onWrite = () => undefined;
    await session.take('/models');
    expect(screen.text).toContain('* pocket-eft');
  });

  it.each([
    ['/wieght 2', 'There is no command /wieght'],
    ['/weight', 'Give one number'],
    ['/weight much', 'Give one number'],
    ['/set contrast 1', 'no number called contrast. It has weight'],
    ['/model pocket-etf', 'pocket-etf'],
    ['/seed x', 'whole number'],
    ['/temperature 3', 'from 0 to 2'],
    ['/again', 'Nothing has been asked yet'],
  ])('%s is refused in one line and the chat goes on', async (line, part) => {
    const { screen, session } = begin();
    await session.take(line);
    expect(screen.text).toContain('error: ');
    expect(screen.text).toContain(part);
    expect(screen.text.trimEnd().split('\n')).toHaveLength(1);
    expect(session.isWell).toBe(false);
    expect(session.wantsEnd).toBe(false);
  });

  const piped = async (input: string, ...args: readonly string[]): Promise<[number, string, string]> => {
    const child = spawn(process.execPath, [path.join(root, 'dist/server/cli.js'), 'chat', ...args], {
      cwd: root,
      stdio: 'pipe',
    });
    let [out, err] = ['', ''];
    child.stdout.on('data', (part: Buffer) => (out += part.toString()));
    child.stderr.on('data', (part: Buffer) => (err += part.toString()));
    child.stdin.end(input);
    const [code] = (await once(child, 'exit')) as [number];
    return [code, out, err];
  };

  it('the built program answers questions from a pipe: the text and nothing else', async () => {
    const [code, out, err] = await piped(`/seed 7\n${question}\n`, '--url', served.url);
    expect([code, err]).toEqual([0, '']);
    const lines = out.trimEnd().split('\n');
    expect(lines).toHaveLength(2);
    const answer = await client.decode({
      model: 'pocket-eft',
      seed: 7,
      messages: [{ role: 'user', content: question }],
    });
    expect(lines[1]).toBe(answer.text);
  });

  it('says when it fails: an unknown model, a refused line, a server that is not there', async () => {
    const run = async (input: string, ...args: readonly string[]): Promise<[number, string]> => {
      let err = '';
      const silent = { write: () => undefined };
      const stderr = { write: (part: string) => (err += part) };
      return [await runCommandLine(['chat', ...args], silent, stderr, Readable.from([input])), err];
    };
    expect(await run('', '--url', served.url, '--model', 'pocket-etf')).toEqual([
      1,
      expect.stringContaining('pocket-etf'),
    ]);
    expect((await run('/nonsense\n', '--url', served.url))[0]).toBe(1);
    const [code, err] = await run('', '--url', 'http://127.0.0.1:9');
    expect(code).toBe(1);
    expect(err.trimEnd().split('\n')).toHaveLength(1);
    expect(err).toContain('127.0.0.1:9');
  });
});
