// What a request needs of each model while it runs: the price by which it is admitted. Pure.
import { rowsPerView, type ViewsPlan } from '../../decoders/views-plan.js';
import { AppError } from '../errors.js';
import type { DecodeRequest } from '../wire/decode.js';
import type { EngineModel } from './model.js';
import type { SourceText } from './reads.js';

/** Rows that a request needs on each model while it runs. */
export type Demand = ReadonlyMap<
  EngineModel,
  { readonly rows: number; readonly promptLength: number; readonly length: number }
>;

export function demandOf(
  request: DecodeRequest,
  views: ViewsPlan,
  { models, sources }: { models: readonly EngineModel[]; sources: readonly (EngineModel | null)[] },
  text: SourceText,
): Demand {
  const demand = new Map<EngineModel, { rows: number; promptLength: number; length: number }>();
  const add = (model: EngineModel, rows: number, promptLength: number, length: number): void => {
    const known = demand.get(model) ?? { rows: 0, promptLength: 0, length: 0 };
    demand.set(model, {
      rows: known.rows + rows,
      promptLength: Math.max(known.promptLength, promptLength),
      length: Math.max(known.length, length),
    });
  };
  const plan = request.search?.plan ?? null;
  rowsPerView(views, plan).forEach((rows, view) => {
    const model = models[view];
    const promptLength = (request.promptIds[view] ?? request.promptIds[0])?.length ?? 0;
    if (model) add(model, rows * request.n, promptLength, promptLength + request.maxTokens);
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
    add(model, rows, promptLength, Math.min(promptLength + 2 * request.maxTokens, contextLength));
  });
  return demand;
}
