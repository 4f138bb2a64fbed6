// rain: rewindable auto-regressive inference (Li et al., "RAIN: Your Language Models Can Align Themselves without Finetuning",
// arXiv:2309.07124). A tree over token sets, each judged by what it leads to; the model goes back and tries another one until what it would
// say is good:
//
//   descend   argmax (value + 1)/2 + exploration·prior·√(visits of the parent)/(1 + visits)
//   look      sample from the leaf to the end of a clause, have the text judged, expand the leaf
//   back up   the mean value of every set on the path; similar siblings share
//   say       the most visited set once it has more than min_visits and a value above value_threshold, or when the iterations are spent
//
// Where the paper and its code differ this follows the code, for it made the numbers: the parent's visits under the root, unvisited sets
// ranked as the worst, only embedded siblings sharing. Its value bounds start at −1 and 1, which no value leaves: here they are constants, so
// nothing has to be carried from root to root. Different on purpose: an end token ends the answer (the code goes on beyond it), a text
// without a judgement is worth 0, priors come from the whole softmax and not from its 15 best tokens, and simulations have a length limit.
// With `parallel` above 1 the leaves that will likely follow are looked at beside the next one; they count when the search comes to them, so the
// law stays that of one look after the other, though a seed draws other sets.
import { integer, numbers, real, scorer } from '../fields.js';
import type { Field } from '../fields.js';
import { member } from '../member-fields.js';
import { Conflict } from '../method.js';
import { readModelName } from '../model-field.js';
import { refuseCentred } from '../scorers/ensemble.js';
import { rangeOf } from '../scorers/index.js';
import { all, commit, count, force, logprobs, text, trace } from '../search.js';
import type { Search, Searching } from '../search.js';
import { defineSearch } from '../search-method.js';
import { borrowing } from './forks.js';
import { addChild, expandRoot, lookAhead, setTokensAt } from './rain-ahead.js';
import type { Rain, RainValues, Scale } from './rain-ahead.js';
import {
  backUp,
  isOpen,
  isSettled,
  leafOf,
  mostVisited,
  newNode,
  select,
  smoothChildren,
  wantsChild,
} from './rain-tree.js';
import type { Path, TreeNode } from './rain-tree.js';

const OFF = 'off';

export const rain = defineSearch({
  name: 'rain',
  summary: 'A model judges what it is about to say, goes back and says something better.',
  equation:
    'argmax (value + 1)/2 + exploration·prior·√(parent’s visits)/(1 + visits); said when visits > min_visits and value > value_threshold',
  paper: 'arXiv:2309.07124 (RAIN)',
  granularity: 'a token set: 1, 2, 4, then 10 tokens',
  fields: {
    inner: member('Who speaks.'),
    judge: scorer('What an answer is worth, finished or not. Scores with bounds are mapped to −1 … 1, others by tanh.'),
    similarity: similarity(
      'A model whose embeddings tell which sets are alike: these share what is learned about one of them.',
    ),
    candidates: integer({ help: 'Sets that may follow another one.', fallback: 10, min: 1, max: 64 }),
    set_tokens: {
      ...numbers({
        help: 'Tokens of the first, second … set; the last number holds for all further ones.',
        fallback: [1, 2, 4, 10],
        min: 1,
        max: 64,
      }),
      type: 'whole number or list of whole numbers',
    },
    lookahead: integer({
      help: 'Most tokens of a simulation; most end earlier, with a clause.',
      fallback: 64,
      min: 1,
      max: 4096,
    }),
    max_iterations: integer({
      help: 'Looks ahead before a set is said, those it inherits included.',
      fallback: 50,
      min: 0,
      max: 10_000,
    }),
    extra_iterations: integer({
      help: 'At least so many are allowed, whatever is inherited.',
      fallback: 15,
      min: 0,
      max: 10_000,
    }),
    min_visits: integer({ help: 'A set is said after more visits than this …', fallback: 6, min: 0, max: 10_000 }),
    value_threshold: real({ help: '… if its value is above this.', fallback: 0.8, min: -1, max: 1 }),
    exploration: real({ help: 'How much is tried that is likely and little visited.', fallback: 2, min: 0, max: 100 }),
    smoothing: real({
      help: 'Share of a root’s prior that is spread evenly over its children.',
      fallback: 0.25,
      min: 0,
      max: 1,
    }),
    similarity_threshold: real({ help: 'Cosine from which sets are alike.', fallback: 0.95, min: 0, max: 1 }),
    similarity_discount: real({ help: 'What a visit of a similar set counts.', fallback: 0.2, min: 0, max: 1 }),
    max_children: integer({
      help: 'Sets are added where all are bad and alike, up to so many.',
      fallback: 20,
      min: 1,
      max: 256,
    }),
    add_spread: real({
      help: 'Alike: the norm of the variances of their embeddings, per token, is below this.',
      fallback: 0.03,
      min: 0,
      max: 100,
    }),
    add_below: real({ help: 'Bad: the value of each is below this.', fallback: 0, min: -1, max: 1 }),
    parallel: integer({
      help: 'Leaves looked at side by side; above 1 those too that will likely follow. Faster, of the same law.',
      fallback: 1,
      min: 1,
      max: 16,
    }),
  },
  plan: (fields, context) => {
    const fractional = fields.set_tokens.find((tokens) => !Number.isInteger(tokens));
    if (fractional !== undefined) throw new Conflict('set_tokens', fractional, 'Use whole numbers of tokens.');
    if (fields.set_tokens.length === 0) throw new Conflict('set_tokens', [], 'Give at least one number of tokens.');
    if (context.distribution(fields.inner.scores) !== 0) throw new Error('the trunk’s distribution comes first');
    const judge = fields.judge.build(context);
    refuseCentred('judge', judge, fields.judge);
    const { similarity: model } = fields;
    const values: RainValues = {
      judge,
      scale: scaleOf(rangeOf(judge)),
      embedding: model === null ? null : context.source({ kind: 'embedding', model }),
      candidates: fields.candidates,
      setTokens: fields.set_tokens,
      lookahead: fields.lookahead,
      maxIterations: fields.max_iterations,
      extraIterations: fields.extra_iterations,
      minVisits: fields.min_visits,
      valueThreshold: fields.value_threshold,
      exploration: fields.exploration,
      smoothing: fields.smoothing,
      similarityThreshold: fields.similarity_threshold,
      similarityDiscount: fields.similarity_discount,
      maxChildren: fields.max_children,
      addSpread: fields.add_spread,
      addBelow: fields.add_below,
      parallel: fields.parallel,
    };
    // The trunk; per leaf a scout, a simulation, and a fork for each set.
    return { values, branches: [1 + fields.parallel * (2 + fields.candidates)], scored: fields.parallel };
  },
  *run(trunk, values) {
    // So that the scouts begin with what is computed of the prompt.
    yield* logprobs(trunk, 1);
    yield* borrowing(function* (loans) {
      const scouts = yield* all(Array.from({ length: values.parallel }, () => loans.fork(trunk)));
      yield* answer({ trunk, scouts, values, judged: new Map(), clauseEnds: new Map(), nodes: 0 });
    });
  },
  cost: ({ candidates, setTokens, minVisits }) => {
    const tokens = setTokens.at(-1) ?? 1;
    return {
      tokens: [candidates + minVisits + CLAUSE_TOKENS / tokens],
      scored: 1 / tokens,
      note: 'where the judge is content; at worst max_iterations looks for a set of tokens, each of a clause, a judgement and a share of an expansion',
    };
  },
});

/** Tokens to the end of a clause, roughly: for `explain`. */
const CLAUSE_TOKENS = 8;

function* answer(rain: Rain): Search {
  const { trunk, values } = rain;
  let root = newNode(0, { tokens: [], logprob: 0 }, 0, 1);
  while (!trunk.ended) {
    const budget = Math.max(values.maxIterations - root.ownVisits, values.extraIterations);
    let looks = 0;
    while (looks < budget) {
      const path = yield* descend(rain, root);
      if (leafOf(path).look === null) yield* lookAhead(rain, root);
      yield* learn(rain, path);
      looks++;
      if (isSettled(root, values)) break;
    }
    if (root.children.length === 0) yield* expandRoot(rain, root);
    const best = mostVisited(root);
    // Nothing may follow: what is left is decoded plainly.
    if (best === null) return;
    yield* say(rain, root, best, looks);
    root = best;
    smoothChildren(root, values.smoothing);
  }
}

/** From the root to a leaf by the selection rule. */
function* descend(rain: Rain, root: TreeNode): Searching<Path> {
  const { values } = rain;
  let path: Path = [root];
  while (isOpen(leafOf(path))) {
    const node = leafOf(path);
    if (wantsChild(node, setTokensAt(values, node), values)) yield* addChild(rain, path);
    path = [...path, select(node, values.exploration)];
  }
  return path;
}

function* learn({ values }: Rain, path: Path): Searching<void> {
  const { look } = leafOf(path);
  if (look === null) throw new Error('nobody has looked from here');
  backUp(path, look, values);
  yield* count('looks');
  yield* trace({ event: 'look', path: path.map(({ id }) => id), ahead: [...look.ahead], value: look.value });
}

/** The set becomes a part of the answer. */
function* say({ trunk, values, judged }: Rain, root: TreeNode, best: TreeNode, looks: number): Searching<void> {
  const by = isSettled(root, values) ? 'threshold' : 'budget';
  yield* force(trunk, best.tokens);
  yield* commit(trunk);
  yield* count(`said_by_${by}`);
  const children = root.children.map(({ id, visits, ownVisits, value }) => ({ node: id, visits, ownVisits, value }));
  yield* trace({ event: 'say', node: best.id, by, looks, children });
  // Of what was judged, what begins otherwise will not come up again.
  const said = yield* text(trunk);
  for (const judgedText of judged.keys()) if (!judgedText.startsWith(said)) judged.delete(judgedText);
}

/** Scores with bounds are mapped onto [−1, 1]. */
function scaleOf(range: readonly [least: number, most: number] | null): Scale {
  if (range === null || !range.every(Number.isFinite) || range[0] === range[1]) return { kind: 'tanh' };
  const [least, most] = range;
  return { kind: 'linear', least, most };
}

function similarity(help: string): Field<string | null> {
  return {
    type: `"${OFF}" or model`,
    help,
    range: '',
    fallback: null,
    read: (value, path, context) => (value === OFF ? null : readModelName(value, path, context)),
    show: (value) => value ?? OFF,
  };
}
