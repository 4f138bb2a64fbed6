// What is served at present, and how it comes to be something else while the server runs: models are loaded and unloaded, a configuration
// is taken in place of another. Every change is made beside what is in force and put in its place whole, or not at all. Knows engine, text
// and catalog; knows no HTTP. Owned by main.ts, asked by routes/admin.ts.
import { setTimeout as sleep } from 'node:timers/promises';
import { isDeepStrictEqual } from 'node:util';
import { Catalog } from './catalog.js';
import type { ModelFacts } from './catalog/facts.js';
import type { Config } from './config.js';
import type { AdminChange, ChangeOrder, HttpConfig, ModelStatus, Operations } from './context.js';
import { EngineClient, type Progress } from './engine/client.js';
import type { EngineSettings, LoadedModelInfo } from './engine/messages.js';
import { EngineSlot, type Retired } from './engine-slot.js';
import { AppError } from './errors.js';
import { engineSettings, httpConfig, needsRestart, whatDiffers } from './settings.js';
import { ImageService } from './images/service.js';
import { TextService, type TextModelInfo } from './models/text.js';
import { warmUp } from './warm-up.js';

type Facts = ReadonlyMap<string, ModelFacts>;

/** Everything that is in force together. */
interface Generation {
  readonly config: Config;
  readonly http: HttpConfig;
  readonly loaded: ReadonlySet<string>;
  readonly text: TextService;
  readonly images: ImageService;
  /** What the models' files say. */
  readonly files: ReadonlyMap<string, TextModelInfo>;
  readonly catalog: Catalog;
  readonly settings: EngineSettings;
}

/** A driver that resets a GPU takes some seconds. */
const RESTART_PAUSES_MS = [0, 2000, 8000] as const;

/** What ends the engine's thread and not the server. */
const passing: readonly string[] = ['device_lost', 'device_full', 'device_failed'];

export interface SupervisorOptions {
  readonly onProgress?: Progress | undefined;
  /** Reads the configuration again. Left out: there is none to read. */
  readonly reread?: (() => Config) | undefined;
}

export class Supervisor implements Operations {
  readonly engine = new EngineSlot();
  readonly #options: SupervisorOptions;
  /** Unix seconds. */
  readonly #created: number;
  #now: Generation;
  #isClosing = false;
  /** The change that is under way. */
  #busy: { readonly what: string; readonly model: string | null } | null = null;
  #replacements = 0;
  #reloads = { taken: 0, refused: 0 };
  readonly #failed: Promise<void>;
  #reportFailed: () => void = () => undefined;

  private constructor(now: Generation, created: number, options: SupervisorOptions) {
    this.#now = now;
    this.#created = created;
    this.#options = options;
    this.#failed = new Promise((resolve) => (this.#reportFailed = resolve));
  }

  /** Reads tokenizers and checks deployments: their mistakes are thrown. Nothing is loaded. */
  static async open(config: Config, options: SupervisorOptions = {}): Promise<Supervisor> {
    const text = textService(config);
    try {
      const files = await text.load();
      const loaded = new Set(config.loadedAtStart);
      const created = Math.floor(Date.now() / 1000);
      const catalog = new Catalog(config, bounded(files, config.models), created, loaded);
      const settings = engineSettings(config, loaded);
      const images = imageService(config, files);
      const now = { config, http: httpConfig(config), loaded, text, images, files, catalog, settings };
      return new Supervisor(now, created, options);
    } catch (error) {
      await text.close();
      throw error;
    }
  }

  /** Loads the models. Rejects with what kept them from it: `draining` where it was stopped meanwhile. */
  async start(): Promise<readonly LoadedModelInfo[]> {
    try {
      const { client, catalog } = await this.#launch(this.#now);
      this.#now = { ...this.#now, catalog };
      this.#engage(client);
      return client.info;
    } catch (error) {
      this.engine.fail();
      throw error;
    }
  }

  get http(): HttpConfig {
    return this.#now.http;
  }

  get catalog(): Catalog {
    return this.#now.catalog;
  }

  get text(): TextService {
    return this.#now.text;
  }

  get images(): ImageService {
    return this.#now.images;
  }

  /** Settles when the engine that serves has ended by itself. */
  get failed(): Promise<void> {
    return this.#failed;
  }

  models(): readonly ModelStatus[] {
    const { config, loaded, catalog } = this.#now;
    const { info } = this.engine;
    const { models: gauges } = this.engine.stats();
    return config.models.map(({ name, kind, weights }) => ({
      name,
      kind,
      weights,
      state:
        this.#busy?.model === name
          ? 'changing'
          : info.some((one) => one.name === name)
            ? 'loaded'
            : loaded.has(name)
              ? 'loading'
              : 'unloaded',
      info: info.find((one) => one.name === name) ?? null,
      cacheBytes: (gauges[name]?.cacheBytes ?? 0) + (gauges[name]?.prefixBytes ?? 0),
      deployments: catalog.neededBy(name),
    }));
  }

  get counts(): Operations['counts'] {
    return { replacements: this.#replacements, reloads: this.#reloads };
  }

  async load(model: string, order: ChangeOrder): Promise<AdminChange> {
    return this.#exclusively(`loading ${model}`, model, async () => {
      const { config, loaded } = this.#now;
      return this.#take(config, new Set([...loaded, model]), order).catch((error: unknown) => {
        throw error instanceof AppError && error.data.code !== 'draining'
          ? new AppError('model_load_failed', { param: 'model', model, reason: error.message }, { cause: error })
          : error;
      });
    });
  }

  async unload(model: string, order: ChangeOrder): Promise<AdminChange> {
    return this.#exclusively(`unloading ${model}`, model, async () => {
      const { config, loaded } = this.#now;
      return this.#take(config, new Set([...loaded].filter((one) => one !== model)), order);
    });
  }

  /** Takes what the configuration says now, or leaves everything as it is. Models keep their state unless their own entry changes it. */
  async reload(order: ChangeOrder): Promise<AdminChange> {
    return this.#exclusively('reloading the configuration', null, async () => {
      try {
        const { config: old, loaded } = this.#now;
        const { reread } = this.#options;
        if (!reread)
          throw new AppError('not_supported', {
            param: 'reload',
            value: 'This server',
            remedy: 'It was started without a configuration file.',
          });
        const config = reread();
        needsRestart(old, config);
        const wasAtStart = new Set(old.loadedAtStart);
        const known = new Set(old.models.map(({ name }) => name));
        const isAtStart = new Set(config.loadedAtStart);
        const keeps = (name: string): boolean => known.has(name) && wasAtStart.has(name) === isAtStart.has(name);
        const names = config.models.map(({ name }) => name);
        const next = names.filter((name) => (keeps(name) ? loaded.has(name) : isAtStart.has(name)));
        const taken = await this.#take(config, new Set(next), order);
        this.#reloads = { ...this.#reloads, taken: this.#reloads.taken + 1 };
        return taken;
      } catch (error) {
        this.#reloads = { ...this.#reloads, refused: this.#reloads.refused + 1 };
        if (!(error instanceof AppError) || error.data.code === 'draining') throw error;
        throw new AppError('reload_refused', { reason: error.message }, { cause: error });
      }
    });
  }

  /** Ends every thread; what runs fails. */
  async close(): Promise<void> {
    this.#isClosing = true;
    await this.engine.stop();
    await this.#now.text.close();
  }

  async #exclusively(what: string, model: string | null, act: () => Promise<AdminChange>): Promise<AdminChange> {
    if (this.engine.state === 'draining') throw new AppError('draining', {});
    if (this.#busy) throw new AppError('admin_busy', { what: this.#busy.what });
    if (this.engine.state !== 'ready') throw new AppError('not_ready', { retryAfterSeconds: 2 });
    this.#checkName(model);
    this.#busy = { what, model };
    try {
      return await act();
    } finally {
      this.#busy = null;
    }
  }

  #checkName(model: string | null): void {
    const names = this.#now.config.models.map(({ name }) => name);
    if (model === null || names.includes(model)) return;
    throw new AppError('model_not_found', { param: 'model', model, available: names.join(', ') });
  }

  /** From what is in force to this. Nothing is changed where it fails. */
  async #take(config: Config, loaded: ReadonlySet<string>, order: ChangeOrder): Promise<AdminChange> {
    const started = performance.now();
    const residentBefore = process.memoryUsage.rss();
    const old = this.#now;
    const text = sameFiles(old.config, config) ? old.text : textService(config);
    try {
      const files = text === old.text ? old.files : await text.load();
      const settings = engineSettings(config, loaded);
      // Throws for deployments that make no sense.
      const catalog = new Catalog(config, bounded(files, config.models), this.#created, loaded);
      const sameImages = text === old.text && isDeepStrictEqual(old.config.images, config.images);
      const images = sameImages ? old.images : imageService(config, files);
      const next = { config, http: httpConfig(config), loaded, text, images, files, catalog, settings };
      const retired = isDeepStrictEqual(settings, old.settings)
        ? this.#keepEngine(next)
        : await this.#replaceEngine(next, order);
      return {
        changed: whatDiffers(old.config, config),
        engine: retired ? 'replaced' : 'kept',
        requests: retired ?? { finished: 0, cut: 0 },
        residentBefore,
        residentAfter: process.memoryUsage.rss(),
        tookMs: performance.now() - started,
        note: config.runtime.returnsMemory || retired === null ? null : keptByAllocator,
      };
    } finally {
      // Whichever is not in force: nothing is left that would ask it.
      for (const one of new Set([text, old.text])) if (one !== this.#now.text) await one.close();
    }
  }

  #keepEngine(next: Generation): null {
    const catalog = new Catalog(next.config, servable(next, this.engine.info), this.#created, next.loaded);
    this.#now = { ...next, catalog };
    return null;
  }

  async #replaceEngine(next: Generation, order: ChangeOrder): Promise<Retired> {
    const deadlineMs = this.#now.config.limits.drainTimeoutMs;
    if (order === 'beside') {
      const { client, catalog } = await this.#launch(next);
      this.#now = { ...next, catalog };
      const before = this.#engage(client);
      return before ? this.engine.retire(before, deadlineMs) : { finished: 0, cut: 0 };
    }
    const before = this.engine.empty();
    const retired = before ? await this.engine.retire(before, deadlineMs) : { finished: 0, cut: 0 };
    try {
      const { client, catalog } = await this.#launch(next);
      this.#now = { ...next, catalog };
      this.#engage(client);
      return retired;
    } catch (error) {
      // Back to what was served before.
      const { client } = await this.#launch(this.#now).catch((cause: unknown) => {
        this.engine.fail();
        this.#reportFailed();
        throw cause;
      });
      this.#engage(client);
      throw error;
    }
  }

  /** An engine with its models loaded and warm, and the catalog of what it can serve. */
  async #launch(next: Generation): Promise<{ readonly client: EngineClient; readonly catalog: Catalog }> {
    if (this.#isClosing) throw new AppError('draining', {});
    const client = new EngineClient(next.settings, this.#options.onProgress);
    this.engine.load(client);
    await client.loaded;
    const catalog = new Catalog(next.config, servable(next, client.info), this.#created, next.loaded);
    try {
      await warmUp(client, catalog);
    } catch (error) {
      await client.stop();
      throw error;
    }
    return { client, catalog };
  }

  /** Returns the engine that it takes over from. */
  #engage(client: EngineClient): EngineClient | null {
    const before = this.engine.fill(client);
    if (before) this.#replacements++;
    // One that was replaced has nothing to say any more.
    void client.ended.then(() => {
      if (client.state !== 'failed' || !this.engine.holds(client)) return;
      if (passing.includes(client.failure?.data.code ?? '')) void this.#startAnew();
      else this.#reportFailed();
    });
    return before;
  }

  /** With a lost GPU its thread is lost, not the server: another thread opens the device again, later where the driver is not back yet. */
  async #startAnew(): Promise<void> {
    this.engine.empty();
    for (const pauseMs of RESTART_PAUSES_MS) {
      try {
        await sleep(pauseMs);
        const { client, catalog } = await this.#launch(this.#now);
        this.#now = { ...this.#now, catalog };
        this.#engage(client);
        return;
      } catch (error) {
        if (this.#isClosing) return;
        console.error('engine thread: the device is not back:', error);
      }
    }
    this.engine.fail();
    this.#reportFailed();
  }
}

const keptByAllocator =
  'The C library of this process keeps freed memory for the next model. Start the server with MALLOC_MMAP_THRESHOLD_=1048576 to have it returned to the system at once.';

const textService = ({ models, limits }: Config): TextService =>
  new TextService(models, { timeoutMs: limits.textTimeoutMs });

function imageService({ images: settings }: Config, files: ReadonlyMap<string, TextModelInfo>): ImageService {
  const images = new ImageService(settings);
  images.load(files);
  return images;
}

/** The tokenizers are the same. */
function sameFiles(old: Config, next: Config): boolean {
  const paths = ({ models }: Config) => models.map(({ name, path }) => [name, path]);
  return isDeepStrictEqual(paths(old), paths(next));
}

/** A context longer than the cache budget could be promised but never served: the engine knows that bound. */
function servable({ files, config }: Generation, info: readonly LoadedModelInfo[]): Facts {
  return bounded(bounded(files, config.models), info);
}

/** The same facts with the context of each model cut to what `limits` allows it. */
function bounded(
  facts: Facts,
  limits: readonly { readonly name: string; readonly contextLength: number | null }[],
): Facts {
  const limit = new Map(limits.map(({ name, contextLength }) => [name, contextLength ?? Infinity]));
  return new Map(
    [...facts].map(([name, known]) => [
      name,
      { ...known, contextLength: Math.min(known.contextLength, limit.get(name) ?? Infinity) },
    ]),
  );
}
