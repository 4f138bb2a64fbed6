// best_of_n against one answer, and what a fork of a long branch costs: searches live on both.
import { all, force, fork, logprobs, release, sample } from '../../decoders/search.js';
import { buildDecoding } from '../../decoders/spec.js';
import { greedySampling } from '../../server/wire/decode.js';
import { plain, workOf } from './in-process.js';
import { atMost, informs, median, type Row } from './rows.js';
import { searching, SearchEngine } from './search-engine.js';
import { firstTextId } from './tokenizer.js';

const ROUNDS = 5;
const FORK_ROUNDS = 8;
const SHAPE = 'smol135';
/** The format for several rows at once. */
const WEIGHTS = 'w8a8';
const ANSWERS = 8;
const PROMPT = 128;
const TOKENS = 48;
const PREFIX = 1000;

export async function benchBestOfN(): Promise<Row[]> {
  const engine = await SearchEngine.start(
    {
      model: { shape: SHAPE, weights: WEIGHTS },
      reward: { shape: 'small49k', weights: WEIGHTS, seed: 3, kind: 'reward' },
    },
    64,
  );
  try {
    const { search } = buildDecoding(
      { method: 'best_of_n', inner: 'model', scorer: 'reward', n: ANSWERS },
      {
        models: ['model'],
        allowNegativeWeights: false,
        rewardModels: new Map([['reward', { heads: ['score'], statistics: null }]]),
      },
    );
    if (!search) throw new Error('best_of_n is a search');
    const one = {
      ...workOf(SHAPE, plain('model'), PROMPT, TOKENS),
      more: { sampling: { ...greedySampling, temperature: 1 } },
    };
    const best = searching(one, search);
    const [alone, eight]: [number[], number[]] = [[], []];
    for (let round = 0; round <= ROUNDS; round++) {
      const takes = [await engine.time([one]), await engine.time([best])] as const;
      if (round === 0) continue;
      alone.push(takes[0]);
      eight.push(takes[1]);
    }
    const forks = await forkTimes(engine);
    return [
      atMost(
        `time of best_of_n ${ANSWERS} ÷ one answer`,
        median(eight.map((ms, round) => ms / (alone[round] ?? NaN))),
        '×',
        2.5,
        `${SHAPE}, ${WEIGHTS}, ${PROMPT} prompt + ${TOKENS} new tokens each: ${list(eight)} against ${list(alone)} ms`,
      ),
      atMost(`a fork of ${PREFIX} tokens`, median(forks), 'ms', 5, `${SHAPE}, of ${ANSWERS} at a time: ${list(forks)}`),
      informs(`a fork of ${PREFIX} tokens, the slowest of ${forks.length}`, Math.max(...forks), 'ms'),
    ];
  } finally {
    await engine.stop();
  }
}

/** Milliseconds of a fork: what was computed for its tokens is there when it is. */
async function forkTimes(engine: SearchEngine): Promise<number[]> {
  const times: number[] = [];
  const work = workOf(SHAPE, plain('model'), 1, PREFIX + 1);
  await engine.runOwn(work, function* (trunk) {
    yield* force(
      trunk,
      Array.from({ length: PREFIX }, (_, at) => firstTextId + ((at * 31) % 997)),
    );
    yield* logprobs(trunk, 1);
    for (let round = 0; round <= FORK_ROUNDS; round++) {
      const startedMs = performance.now();
      const forks = yield* all(Array.from({ length: ANSWERS }, () => fork(trunk)));
      const forkedMs = performance.now();
      // The first token of a fork comes from what the trunk has computed, the second takes the forward that shows that nothing was put off.
      yield* all(forks.map((branch) => sample(branch, { tokens: 2 })));
      yield* all(forks.map(release));
      if (round > 0) times.push((forkedMs - startedMs) / ANSWERS);
    }
  });
  return times;
}

const list = (times: readonly number[]): string => times.map((ms) => ms.toFixed(1)).join(', ');
