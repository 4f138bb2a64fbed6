// The configuration: trimtab.config.json, the environment and the command line become one frozen Config, checked once. The only
// file that reads process.env. Knows no tokenizer and no method: what stands under `decoding` is checked by the catalog.
import { existsSync, readFileSync, statSync } from 'node:fs';
import { availableParallelism } from 'node:os';
import { dirname, resolve } from 'node:path';
import { fileURLToPath } from 'node:url';
import { Value } from 'typebox/value';
import { fillDefaults } from './config/defaults.js';
import { firstDuplicate } from './config/duplicates.js';
import { readKeys, refusePlainKeys, type ApiKey } from './config/keys.js';
import { ConfigFile } from './config/schema.js';
import type { DeploymentDefaults } from './config/schema/deployments.js';
import { firstProblem } from './config/problems.js';
import type { DirectionCard } from '../decoders/method.js';
import { AppError } from './errors.js';
import type { ModelSettings } from './engine/messages.js';
import type { WeightsName } from './models/weight-format.js';
import { reasonOf } from './reason.js';
import { shown } from './wire/shown.js';

export interface DeploymentConfig {
  readonly name: string;
  readonly decoding: Readonly<Record<string, unknown>>;
  readonly defaults: Readonly<DeploymentDefaults>;
}

/** By the name of a score. */
export type RewardStatistics = Readonly<Record<string, { readonly mean: number; readonly deviation: number }>>;

export interface Config {
  /** Absolute path of the file that was read; null when everything came from the command line. */
  readonly file: string | null;
  readonly models: readonly ModelSettings[];
  /** Names of the models that are loaded at start. */
  readonly loadedAtStart: readonly string[];
  readonly deployments: readonly DeploymentConfig[];
  /** By model: how it is told a preference direction. */
  readonly directionCards: ReadonlyMap<string, DirectionCard>;
  /** By reward model: how its scores are spread. */
  readonly rewardStatistics: ReadonlyMap<string, RewardStatistics>;
  /** By model: how its hidden states become one vector. */
  readonly embeddings: ReadonlyMap<string, ConfigFile['models'][string]['embedding']>;
  /** Specs by name. */
  readonly scorers: ReadonlyMap<string, Readonly<Record<string, unknown>>>;
  readonly endpoints: Readonly<ConfigFile['endpoints']>;
  readonly search: Readonly<ConfigFile['search']>;
  readonly server: Readonly<ConfigFile['server']>;
  readonly limits: Readonly<ConfigFile['limits']>;
  readonly images: Readonly<ConfigFile['images']>;
  readonly websocket: Readonly<ConfigFile['websocket']>;
  readonly cors: Readonly<ConfigFile['cors']>;
  readonly auth: {
    readonly keys: readonly ApiKey[];
    readonly openMetrics: boolean;
    readonly wrongKeysPerMinute: number | null;
  };
  readonly telemetry: Readonly<ConfigFile['telemetry']>;
  readonly runtime: {
    readonly threads: number;
    /** The C library was told to give large blocks back to the system at once (glibc: MALLOC_MMAP_THRESHOLD_). */
    readonly returnsMemory: boolean;
  };
  /** Absolute. */
  readonly artifactDirectory: string;
  readonly allowNegativeWeights: boolean;
}

/** What the command line may say; each wins over the environment, which wins over the file. */
export interface ConfigOverrides {
  readonly path?: string;
  /** Serve exactly these models (name → folder) and no config file. */
  readonly models?: ReadonlyMap<string, string>;
  readonly weights?: WeightsName;
  readonly host?: string;
  readonly port?: number;
  readonly threads?: number;
  /** false: the models' folders may be missing, because nothing will be loaded. */
  readonly checkFolders?: boolean;
}

export type Environment = Readonly<Record<string, string | undefined>>;

export const configFileName = 'trimtab.config.json';

/** The package's own folder, from source (server/) and from the build (dist/server/) alike. */
export function packageDirectory(): string {
  const here = dirname(fileURLToPath(import.meta.url));
  return existsSync(resolve(here, '../package.json')) ? resolve(here, '..') : resolve(here, '../..');
}

/** --config, then TRIMTAB_CONFIG, then ./trimtab.config.json, then the pocket suite in the box. */
function findConfigFile(path: string | undefined, environment: Environment): string {
  const named = path ?? environment['TRIMTAB_CONFIG'];
  if (named !== undefined && named !== '') return resolve(named);
  const local = resolve(configFileName);
  return existsSync(local) ? local : resolve(packageDirectory(), configFileName);
}

function readJson(file: string): unknown {
  let text: string;
  try {
    text = readFileSync(file, 'utf8');
  } catch (error) {
    const code = (error as NodeJS.ErrnoException).code;
    const reason =
      code === 'ENOENT' ? 'there is no such file' : code === 'EISDIR' ? 'it is a folder, not a file' : String(code);
    throw new AppError('config_missing', { path: file, reason }, { cause: error });
  }
  let document: unknown;
  try {
    document = JSON.parse(text);
  } catch (error) {
    throw new AppError(
      'config_invalid',
      {
        path: file,
        key: 'the whole file',
        problem: `it is not JSON: ${reasonOf(error)}`,
        value: shown(text.slice(0, 40)),
        remedy: 'JSON has no comments and no trailing commas; docs/config.md shows an example.',
      },
      { cause: error },
    );
  }
  const duplicate = firstDuplicate(text);
  if (duplicate === null) return document;
  throw new AppError('config_invalid', {
    path: file,
    key: duplicate,
    problem: 'the key stands there twice, and only the last would count',
    value: shown(duplicate.split('.').at(-1)),
    remedy: 'Keep one of them, or rename one.',
  });
}

/** Names appear in URLs, in metrics and in messages. */
const namePattern = /^[A-Za-z0-9][A-Za-z0-9._:/-]{0,127}$/;

function checkName(file: string, key: string, name: string): void {
  if (namePattern.test(name)) return;
  throw new AppError('config_invalid', {
    path: file,
    key,
    problem: 'a name must begin with a letter or digit and hold only letters, digits, and . _ : / - (at most 128)',
    value: shown(name),
    remedy: 'Rename it.',
  });
}

function checkFolder(file: string, key: string, path: string): void {
  const found = statSync(path, { throwIfNoEntry: false });
  if (found?.isDirectory() === true && existsSync(resolve(path, 'config.json'))) return;
  const problem =
    found === undefined
      ? 'there is no such folder'
      : found.isDirectory()
        ? 'the folder holds no config.json, so it is not a Hugging Face checkpoint'
        : 'it is a file, not a folder';
  throw new AppError('config_invalid', {
    path: file,
    key,
    problem,
    value: path,
    remedy:
      'Point it at a folder with config.json, *.safetensors and tokenizer.json; relative paths begin at the config file.',
  });
}

/** Every axis has its place in the template, and every place its axis. */
function checkCard(file: string, key: string, { template, axes }: DirectionCard): void {
  const places = [...template.matchAll(/\{(\w+)\}/g)].map(([, axis = '']) => axis);
  const missing = axes.find((axis) => !places.includes(axis));
  const extra = places.find((place) => !axes.includes(place));
  if (missing === undefined && extra === undefined) return;
  throw new AppError('config_invalid', {
    path: file,
    key,
    problem: missing === undefined ? `{${String(extra)}} is no axis` : `it has no place for the axis ${missing}`,
    value: shown(template),
    remedy: `Write ${axes.map((axis) => `{${axis}}`).join(' and ')} where the whole numbers of the axes stand.`,
  });
}

/** The file's content as the declared type, with defaults filled in. */
export function parseConfigFile(file: string, document: unknown): ConfigFile {
  refusePlainKeys(file, document);
  const filled: unknown = fillDefaults(ConfigFile, document);
  const errors = Value.Errors(ConfigFile, filled);
  if (errors.length > 0) throw firstProblem(file, ConfigFile, filled, errors);
  return filled as ConfigFile;
}

function portFrom(text: string | undefined): number | undefined {
  if (text === undefined || text === '') return undefined;
  const port = Number(text);
  if (Number.isInteger(port) && port >= 0 && port <= 65535) return port;
  throw new AppError('config_invalid', {
    path: 'environment',
    key: 'PORT',
    problem: 'it must be a whole number from 0 to 65535',
    value: shown(text),
    remedy: 'Unset it or give a free port.',
  });
}

/** Reads, checks and freezes. Throws AppError with the remedy; never returns a half-valid configuration. */
export function loadConfig(overrides: ConfigOverrides = {}, environment: Environment = process.env): Config {
  const fromFile = overrides.models === undefined;
  const file = fromFile ? findConfigFile(overrides.path, environment) : null;
  const label = file ?? 'command line';
  const document =
    file === null
      ? {
          models: Object.fromEntries(
            [...(overrides.models ?? [])].map(([name, path]) => [name, { path: resolve(path) }]),
          ),
        }
      : readJson(file);
  const parsed = parseConfigFile(label, document);
  const base = file === null ? process.cwd() : dirname(file);

  const models = Object.entries(parsed.models).map(([name, entry]): ModelSettings => {
    checkName(label, `models.${name}`, name);
    const path = resolve(base, entry.path);
    if (overrides.checkFolders !== false) checkFolder(label, `models.${name}.path`, path);
    const weights = overrides.weights ?? entry.weights;
    return { name, path, weights, kind: entry.kind, device: entry.device, contextLength: entry.contextLength };
  });
  if (models.length === 0) {
    throw new AppError('config_invalid', {
      path: label,
      key: 'models',
      problem: 'there is no model',
      value: '{}',
      remedy: 'Name at least one: "models": {"my-model": {"path": "folder"}}.',
    });
  }
  const deployments = Object.entries(parsed.deployments).map(([name, entry]): DeploymentConfig => {
    checkName(label, `deployments.${name}`, name);
    if (Object.hasOwn(parsed.models, name)) {
      throw new AppError('config_invalid', {
        path: label,
        key: `deployments.${name}`,
        problem: 'a model has the same name',
        value: shown(name),
        remedy: 'Rename one of them: clients select both by the field model.',
      });
    }
    return { name, decoding: entry.decoding, defaults: entry.defaults };
  });
  for (const kind of ['scorers', 'endpoints'] as const)
    for (const name of Object.keys(parsed[kind])) checkName(label, `${kind}.${name}`, name);
  const cards = Object.entries(parsed.models).flatMap(([name, { dpa }]) => {
    if (dpa === undefined) return [];
    checkCard(label, `models.${name}.dpa.template`, dpa);
    return [[name, dpa] as const];
  });
  const port = overrides.port ?? portFrom(environment['PORT']) ?? parsed.server.port;
  const host = overrides.host ?? parsed.server.host;
  return deepFreeze({
    file,
    models,
    loadedAtStart: models.map(({ name }) => name).filter((name) => parsed.models[name]?.load === true),
    deployments,
    directionCards: new Map(cards),
    rewardStatistics: new Map(
      Object.entries(parsed.models).flatMap(([name, { reward }]) =>
        reward ? [[name, reward.statistics] as const] : [],
      ),
    ),
    embeddings: new Map(Object.entries(parsed.models).map(([name, { embedding }]) => [name, embedding] as const)),
    scorers: new Map(Object.entries(parsed.scorers)),
    endpoints: parsed.endpoints,
    search: parsed.search,
    server: { ...parsed.server, host, port },
    limits: parsed.limits,
    images: parsed.images,
    websocket: parsed.websocket,
    cors: parsed.cors,
    auth: {
      keys: readKeys(label, parsed.auth, base, environment),
      openMetrics: parsed.auth.openMetrics,
      wrongKeysPerMinute: parsed.auth.limits.wrongKeysPerMinute,
    },
    telemetry: {
      ...parsed.telemetry,
      endpoint: environment['OTEL_EXPORTER_OTLP_ENDPOINT'] || parsed.telemetry.endpoint,
      serviceName: environment['OTEL_SERVICE_NAME'] || parsed.telemetry.serviceName,
    },
    runtime: {
      threads: overrides.threads ?? parsed.runtime.threads ?? defaultThreads(),
      returnsMemory: (environment['MALLOC_MMAP_THRESHOLD_'] ?? '') !== '',
    },
    artifactDirectory: resolve(base, environment['TRIMTAB_ARTIFACTS'] || parsed.artifactDirectory),
    allowNegativeWeights: parsed.allowNegativeWeights,
  });
}

function deepFreeze<T>(value: T): T {
  if (typeof value === 'object' && value !== null && !Object.isFrozen(value)) {
    Object.freeze(value);
    for (const inner of Object.values(value)) deepFreeze(inner);
  }
  return value;
}

/** One thread per core that this process may use. */
export const defaultThreads = (): number => availableParallelism();

/** Where `convert` and `logits` keep artifacts: where `serve` in the same folder would look for them. */
export function defaultArtifactDirectory(environment: Environment = process.env): string {
  const local = resolve(configFileName);
  if (existsSync(local)) return loadConfig({ path: local, checkFolders: false }, environment).artifactDirectory;
  return resolve(environment['TRIMTAB_ARTIFACTS'] || '.cache/artifacts');
}

/** What `chat` shows to a server: a variable, so that it stands in no shell history. */
export function clientKey(environment: Environment = process.env): string | undefined {
  return environment['TRIMTAB_API_KEY'] || undefined;
}

/** Colour only where a person reads: a terminal, and nobody asked for none (https://no-color.org). */
export function wantsColor(isTerminal: boolean, environment: Environment = process.env): boolean {
  return isTerminal && (environment['NO_COLOR'] ?? '') === '' && environment['TERM'] !== 'dumb';
}
