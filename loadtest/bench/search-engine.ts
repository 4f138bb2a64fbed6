// An engine in this process, for benchmarks that put a search of their own beside the real ones: it tells when it began and ended by itself.
import type { SearchPlan } from '../../decoders/plan.js';
import type { Branch, Search } from '../../decoders/search.js';
import { runSearch } from '../../decoders/searches/index.js';
import { LogitKernels } from '../../kernels/logits/kernels.js';
import { Engine, type RequestEvent } from '../../server/engine/engine.js';
import { EngineModel } from '../../server/engine/model.js';
import { Constraints } from '../../server/engine/constraint.js';
import { ReadCache } from '../../server/engine/reads.js';
import { sourceText } from '../../server/models/source-text.js';
import type { DecodeRequest, SearchJob } from '../../server/wire/decode.js';
import { requestOf, settingsOf, type BenchModel, type FolderModel, type InProcessWork } from './in-process.js';

export class SearchEngine {
  readonly #engine: Engine;
  readonly #models: ReadonlyMap<string, EngineModel>;
  readonly #kernels: LogitKernels;
  readonly #own: Map<string, (trunk: Branch) => Search>;

  private constructor(
    engine: Engine,
    models: ReadonlyMap<string, EngineModel>,
    kernels: LogitKernels,
    own: Map<string, (trunk: Branch) => Search>,
  ) {
    this.#engine = engine;
    this.#models = models;
    this.#kernels = kernels;
    this.#own = own;
  }

  static async start(
    benchModels: Readonly<Record<string, BenchModel | FolderModel>>,
    maxRows: number,
  ): Promise<SearchEngine> {
    const settings = { ...(await settingsOf(benchModels)), maxRows };
    const models = new Map<string, EngineModel>();
    for (const model of settings.models)
      models.set(model.name, await EngineModel.load(model, settings, null, () => undefined));
    const kernels = new LogitKernels({ threads: 1 });
    const own = new Map<string, (trunk: Branch) => Search>();
    const engine = new Engine(models, kernels, settings, {
      search: (plan, trunk) => own.get(plan.method)?.(trunk) ?? runSearch(plan, trunk),
      text: sourceText(settings.models),
      askEndpoint: () => Promise.reject(new Error('no endpoint here')),
      known: new ReadCache(),
      failsWithScorer: true,
      constraints: new Constraints(),
    });
    return new SearchEngine(engine, models, kernels, own);
  }

  /** Milliseconds until all of them have ended. */
  async time(works: readonly InProcessWork[]): Promise<number> {
    const startedMs = performance.now();
    for (const work of works) this.#engine.submit(requestOf(work));
    while (!this.#engine.idle) failIfOneFailed(await this.#engine.tick());
    return performance.now() - startedMs;
  }

  /** Runs a search of the benchmark's own, over the distribution of the work. */
  async runOwn(work: InProcessWork, search: (trunk: Branch) => Search): Promise<void> {
    this.#own.set('own', search);
    const plan: SearchPlan = {
      method: 'own',
      values: {},
      distributions: [work.distribution],
      sources: [],
      readers: [],
      branches: [1],
      scored: 0,
      budget: { forwards: null, timeMs: null, tokens: null },
    };
    await this.time([searching(work, plan)]);
  }

  /** Searches of the benchmark's own side by side, each over a plan. What is left of the requests when the last one returns is cancelled. */
  async runTogether(
    owns: readonly {
      readonly work: InProcessWork;
      readonly plan: SearchPlan;
      readonly search: (trunk: Branch) => Search;
    }[],
  ): Promise<void> {
    let running = owns.length;
    const ids = owns.map(({ work, plan, search }, at) => {
      const method = `own ${at}`;
      this.#own.set(method, function* (trunk) {
        yield* search(trunk);
        running--;
      });
      const request = requestOf(searching(work, { ...plan, method }));
      this.#engine.submit(request);
      return request.requestId;
    });
    while (running > 0) failIfOneFailed(await this.#engine.tick());
    for (const id of ids) this.#engine.cancel(id);
    while (!this.#engine.idle) await this.#engine.tick();
  }

  async stop(): Promise<void> {
    for (const model of this.#models.values()) await model.release();
    await this.#kernels.release();
  }
}

function failIfOneFailed(told: readonly RequestEvent[]): void {
  for (const { event } of told)
    if (event.kind === 'failed') throw new Error(`a benchmark request failed: ${JSON.stringify(event.error)}`);
}

/** The same request, decoded by a search. Scorers read the bare answer. */
export function searching(work: InProcessWork, plan: SearchPlan): InProcessWork {
  const bare = { before: '', after: '', trims: false, addSpecialTokens: false };
  const search: SearchJob = { plan, frames: plan.sources.map(() => [bare]), messages: [] };
  return { ...work, more: { ...work.more, search } satisfies Partial<DecodeRequest> };
}
