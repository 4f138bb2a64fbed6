// Questions about pictures on the pocket's vision-language model: dcd over its two projections against plain decoding, at one stream and at
// sixteen. From the request to its first token, and from there on; every stream has a picture of its own, so every tower run counts.
import path from 'node:path';
import type { Trace } from '../measure.js';
import { pictureTasks } from '../../models/pocket/world/pictures/tasks.js';
import { questionOf } from '../scoreboard/pictures.js';
import type { Question } from '../scoreboard/ask.js';
import { targetAt, traceRequest, type Target } from '../stream.js';
import { atMost, interleave, median, type Row } from './rows.js';
import { packageRoot, serveFile } from './server.js';

const ROUNDS = 9;
const TOKENS = 48;
const SIDES = { plain: 'pocket-vl', dcd: 'pocket-dcd' } as const;
const STREAMS = [
  { streams: 1, limit: 1.35 },
  { streams: 16, limit: 1.9 },
] as const;

async function asked(target: Target, model: string, { messages }: Question): Promise<Trace> {
  const body = {
    model,
    messages,
    max_tokens: TOKENS,
    ignore_eos: true,
    stream: true,
    stream_options: { include_usage: true },
  };
  const trace = await traceRequest(target, '/v1/chat/completions', body, performance.now());
  if (trace.error !== null) throw new Error(`a stream failed: ${trace.error}`);
  return trace;
}

type Side = keyof typeof SIDES;

export async function benchPictures(): Promise<Row[]> {
  const server = await serveFile(path.join(packageRoot, 'trimtab.config.json'));
  const target = targetAt(server.url);
  const tasks = pictureTasks().filter(({ kind }) => kind === 'caption');
  const questions = await Promise.all(tasks.map(questionOf));
  let next = 0;
  const rows: Row[] = [];
  try {
    for (const { streams, limit } of STREAMS) {
      const first: Record<Side, number[]> = { plain: [], dcd: [] };
      const steady: Record<Side, number[]> = { plain: [], dcd: [] };
      const run = async (side: Side): Promise<void> => {
        const chosen = Array.from({ length: streams }, () => questions[next++ % questions.length] as Question);
        const traces = await Promise.all(chosen.map((question) => asked(target, SIDES[side], question)));
        first[side].push(median(traces.map(({ arrivalsMs, sentMs }) => (arrivalsMs[0] ?? NaN) - sentMs)));
        steady[side].push(median(traces.map(({ arrivalsMs }) => (arrivalsMs.at(-1) ?? NaN) - (arrivalsMs[0] ?? NaN))));
      };
      await interleave({ plain: () => run('plain'), dcd: () => run('dcd') }, ROUNDS);
      const load = `${streams} stream${streams > 1 ? 's' : ''}`;
      for (const [what, sides] of [
        ['steady rate', steady],
        ['picture to first token', first],
      ] as const) {
        // The first round warmed up.
        const [plain, dcd] = [sides.plain.slice(1), sides.dcd.slice(1)];
        const told = `${median(dcd).toFixed(0)} against ${median(plain).toFixed(0)} ms, a new picture each`;
        const ratio = median(dcd.map((ms, round) => ms / (plain[round] ?? NaN)));
        rows.push(atMost(`${what}, dcd ÷ plain, ${load}`, ratio, '×', limit, told));
      }
    }
  } finally {
    await server.stop();
  }
  return rows;
}
