// Blocks of drafted tokens, made at the start of a tick and gone at its end: the draft's views propose one token after the other, all
// requests that speculate at once; then every view takes its block in with the tick's forward, and the decisions that agree with the
// drafts stand. Between ticks no draft exists, so cancelling, preempting, rewinding and finishing know nothing of them.
import { structureKey, viewsOf } from '../../decoders/expr.js';
import type { BlockPolicy, Candidate, Load } from './block-policy.js';
import { PROPOSE } from './block-policy.js';
import type { Feed } from './feeds.js';
import type { ReadyRow } from './bound-row.js';
import type { Fuser } from './fuse.js';
import type { DraftCounters } from './messages.js';
import type { EngineModel } from './model.js';
import { draftRow } from './ready.js';
import type { Run } from './run.js';
import type { Share } from './scheduler.js';
import type { Sequence } from './sequence.js';
import type { Speculation } from './speculation.js';
import type { View } from './view.js';

type Forward = (model: EngineModel, shares: readonly Share<Feed>[]) => Promise<void>;

/** A sequence that drafts in this tick. */
interface Block {
  readonly run: Run;
  readonly speculation: Speculation;
  readonly sequence: Sequence;
  /** Null for drafts by look-up. */
  readonly view: View | null;
  /** Most tokens that it may draft. */
  readonly limit: number;
  /** Which drafts and distributions are expected to fare alike. */
  readonly kind: string;
}

export class Drafter {
  readonly #fuser: Fuser;
  readonly #policy: BlockPolicy;
  readonly #forward: Forward;
  #blocks: readonly Block[] = [];
  /** When the drafts of a tick were begun in which nobody takes in more than a step or a block. */
  #begunMs: number | null = null;
  readonly #kinds = new WeakMap<Run, string>();
  #counters = { blocks: 0, drafted: 0, accepted: 0 };

  constructor(fuser: Fuser, policy: BlockPolicy, forward: Forward) {
    this.#fuser = fuser;
    this.#policy = policy;
    this.#forward = forward;
  }

  get counters(): DraftCounters {
    return { ...this.#counters };
  }

  /** Makes this tick's blocks and shows them to the members. */
  async draft(runs: readonly Run[]): Promise<void> {
    this.#blocks = runs.flatMap((run) => blocksOf(run, this.#kindOf(run)));
    if (this.#blocks.length === 0) return;
    this.#begunMs = runs.every(isStepping) ? performance.now() : null;
    const lengths = this.#policy.lengthsFor(loadOf(this.#blocks, runs));
    const wanted = new Map(this.#blocks.map((block, b) => [block, lengths[b] ?? 0]));
    let open = this.#blocks;
    for (let step = 0; open.length > 0; step++)
      open = await this.#extend(open.filter((block) => (wanted.get(block) ?? 0) > step && isWanted(block.run)));
    for (const { run, speculation, sequence } of this.#blocks) {
      const { drafts, views } = sequence;
      if (!isWanted(run) || drafts.length === 0) continue;
      views.forEach((view) => view.show(drafts));
      speculation.proposed(drafts.length);
      this.#counters.blocks++;
      this.#counters.drafted += drafts.length;
    }
  }

  /** The end of the tick: what is left of its blocks is taken back. */
  settle(): void {
    if (this.#begunMs !== null) this.#policy.ticked(performance.now() - this.#begunMs);
    this.#begunMs = null;
    for (const { run, sequence, speculation, kind } of this.#blocks) {
      sequence.dropDrafts();
      for (const stood of speculation.takeTests()) {
        this.#policy.tested(kind, stood);
        if (stood) this.#counters.accepted++;
      }
      // What a broken member wrote for a draft lies behind the row's end now, where masked reading would still meet it.
      if (run.metNan) for (const { model } of sequence.views) model.cache.scrub();
    }
    this.#blocks = [];
  }

  /** Weights are left out: they differ from request to request. Greedy drafts stand more often than drawn ones. */
  #kindOf(run: Run): string {
    let kind = this.#kinds.get(run);
    if (kind === undefined) {
      const { speculation, distribution, sampling } = run.request;
      const way = sampling.temperature === 0 ? 'greedy' : 'drawn';
      const members = viewsOf(distribution).map(({ model }) => model);
      kind = [speculation?.draft, way, structureKey(distribution), ...members].join(' ');
      this.#kinds.set(run, kind);
    }
    return kind;
  }

  /** One more draft for each; returns those that may have another. */
  async #extend(blocks: readonly Block[]): Promise<readonly Block[]> {
    for (const [model, shares] of byModel(blocks)) await this.#forward(model, shares);
    const ready = blocks.flatMap((block): { block: Block; row: ReadyRow }[] => {
      const row = isWanted(block.run) ? draftRow(block.run, block.sequence) : null;
      return row ? [{ block, row }] : [];
    });
    if (ready.length === 0) return [];
    const started = performance.now();
    const proposals = await this.#fuser.propose(ready.map(({ row }) => row));
    this.#policy.timed(PROPOSE, ready.length, performance.now() - started);
    return ready.flatMap(({ block }, r) => {
      const proposal = proposals[r] ?? null;
      // An end token would be decided at its own position; nothing can be drafted after it.
      if (proposal === null || block.run.request.stopTokenIds.includes(proposal)) return [];
      if (!block.sequence.mayDraft(proposal)) return [];
      block.sequence.draft(proposal);
      block.view?.show(block.sequence.drafts);
      return [block];
    });
  }
}

function isWanted(run: Run): boolean {
  return (
    !run.cancelled && run.failure === null && run.live.every(({ views }) => views.every(({ row }) => row !== null))
  );
}

/** Whatever it takes in next is a token for each row, no prompt and no text to read. */
function isStepping({ live, pool, reads }: Run): boolean {
  if ((pool?.view?.pending ?? 0) > 0 || (reads?.fed.length ?? 0) > 0) return false;
  return live.every(({ position, views }) => position > 0 && views.every(({ pending }) => pending <= 1));
}

/** The sequences of a run that can draft: every view lacks the last token and nothing else. */
function blocksOf(run: Run, kind: string): Block[] {
  const { speculation, request } = run;
  if (!speculation || run.cancelled || run.failure) return [];
  return run.hungry.flatMap((sequence): Block[] => {
    if (!sequence.isDrawing || sequence.nature.distribution !== 0) return [];
    if (sequence.position === 0 || sequence.views.some(({ pending }) => pending !== 1)) return [];
    const limit = Math.min(
      speculation.params.tokens,
      // The last token needs no successor.
      request.maxTokens - sequence.position - 1,
      run.tokensAsked(sequence) - 1,
      ...sequence.views.map((view) => view.roomInRegime),
    );
    return limit > 0 ? [{ run, speculation, sequence, view: speculation.viewOf(sequence), limit, kind }] : [];
  });
}

function loadOf(blocks: readonly Block[], runs: readonly Run[]): Load {
  const drafting = new Set(blocks.map(({ sequence }) => sequence));
  const rest = runs.flatMap((run) => run.live.filter((sequence) => !drafting.has(sequence) && sequence.position > 0));
  return {
    candidates: blocks.map(({ speculation, sequence, view, limit, kind }): Candidate => ({
      limit,
      kind,
      record: speculation.record,
      draftModel: view?.model.name ?? null,
      views: countByModel([sequence]),
    })),
    others: countByModel(rest),
    otherTokens: rest.length,
  };
}

function countByModel(sequences: readonly Sequence[]): Map<string, number> {
  const counts = new Map<string, number>();
  for (const { views } of sequences)
    for (const { model } of views) counts.set(model.name, (counts.get(model.name) ?? 0) + 1);
  return counts;
}

function byModel(blocks: readonly Block[]): Map<EngineModel, Share<Feed>[]> {
  const shares = new Map<EngineModel, Share<Feed>[]>();
  for (const { run, sequence, view } of blocks) {
    if (!view) continue;
    const own = shares.get(view.model) ?? [];
    shares.set(view.model, own);
    own.push({ item: { run, sequence, view }, count: 1 });
  }
  return shares;
}
