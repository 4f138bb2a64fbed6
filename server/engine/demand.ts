// What a request needs of each model while it runs: the price by which it is admitted. Pure.
import { rowsPerView, type ViewsPlan } from '../../decoders/views-plan.js';
import { AppError } from '../errors.js';
import type { DecodeRequest } from '../wire/decode.js';
import type { EngineModel } from './model.js';
import type { SourceText } from './reads.js';

/** What a request needs on each model while it runs. */
export type Demand = ReadonlyMap<EngineModel, ModelDemand>;

export interface ModelDemand {
  readonly rows: number;
  /** Those of the rows that readings share: with fewer than they could use they wait for each other. */
  readonly readings: number;
  readonly promptLength: number;
  readonly length: number;
}

/** A text that others continue, and one of these. */
const LEAST_READINGS = 2;

export function demandOf(
  request: DecodeRequest,
  views: ViewsPlan,
  { models, sources }: { models: readonly EngineModel[]; sources: readonly (EngineModel | null)[] },
  text: SourceText,
  maxRows: number,
): Demand {
  const demand = new Map<EngineModel, ModelDemand>();
  const nothing: ModelDemand = { rows: 0, readings: 0, promptLength: 0, length: 0 };
  const add = (model: EngineModel, own: ModelDemand): void => {
    const known = demand.get(model) ?? nothing;
    demand.set(model, {
      rows: known.rows + own.rows,
      readings: known.readings + own.readings,
      promptLength: Math.max(known.promptLength, own.promptLength),
      length: Math.max(known.length, own.length),
    });
  };
  const plan = request.search?.plan ?? null;
  rowsPerView(views, plan).forEach((rows, view) => {
    const model = models[view];
    const promptLength = (request.promptIds[view] ?? request.promptIds[0])?.length ?? 0;
    if (model)
      add(model, { ...nothing, rows: rows * request.n, promptLength, length: promptLength + request.maxTokens });
  });
  sources.forEach((model, source) => {
    const frames = request.search?.frames[source] ?? [];
    if (!model || frames.length === 0) return;
    const around = frames.map(
      ({ before, after, addSpecialTokens }) => text.encode(model.name, before + after, addSpecialTokens).length,
    );
    const promptLength = Math.max(...around);
    const { contextLength } = model.info;
    if (promptLength + request.maxTokens > contextLength)
      throw new AppError('context_length_exceeded', {
        param: 'decoding',
        promptTokens: promptLength,
        maxTokens: request.maxTokens,
        model: model.name,
        contextLength,
      });
    // One more row: the text that later ones continue. Another tokenizer may need more tokens for the same text.
    const rows = request.n * (plan?.scored ?? 1) * frames.length + 1;
    const length = Math.min(promptLength + 2 * request.maxTokens, contextLength);
    add(model, { rows, readings: rows, promptLength, length });
  });
  return new Map([...demand].map(([model, own]) => [model, within(own, maxRows)]));
}

/** Readings make do with what others leave. */
function within({ rows, readings, ...lengths }: ModelDemand, maxRows: number): ModelDemand {
  const fewer = Math.min(readings, Math.max(LEAST_READINGS, maxRows - (rows - readings)));
  return { rows: rows - readings + fewer, readings: fewer, ...lengths };
}
