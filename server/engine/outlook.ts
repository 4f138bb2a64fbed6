// What a request will need, known when it comes and before anything of it has run: its views and their models, rows, prompts and logit kernels.
// By this it is admitted. Pure.
import { planViews, type ViewsPlan } from '../../decoders/views-plan.js';
import type { KernelNeed } from '../../kernels/logits/kernels.js';
import { AppError } from '../errors.js';
import type { DecodeRequest } from '../wire/decode.js';
import { demandOf, type Demand } from './demand.js';
import { needsOf } from './kernel-needs.js';
import type { EngineModel } from './model.js';
import { promptOf } from './prompts.js';
import type { SourceText } from './reads.js';

export interface Outlook {
  readonly views: ViewsPlan;
  /** By view. */
  readonly models: readonly EngineModel[];
  /** The model whose tokens the answer consists of. */
  readonly tokenizer: EngineModel;
  /** What a search reads; null where an endpoint scores. */
  readonly sources: readonly (EngineModel | null)[];
  readonly demand: Demand;
  /** Over all models. */
  readonly rows: number;
  /** What these can come to at most: rows × tokens. */
  readonly price: number;
  /** Of all views, by model. */
  readonly promptTokens: ReadonlyMap<EngineModel, number>;
  /** None for an embedding. */
  readonly kernels: readonly KernelNeed[];
}

export function outlookOf(
  request: DecodeRequest,
  known: ReadonlyMap<string, EngineModel>,
  text: SourceText,
  maxRows: number,
): Outlook {
  const views = planViews(request.distribution, request.search?.plan ?? null, request.speculation ?? null);
  const models = views.views.map(({ model }) => find(known, model));
  const tokenizer = find(known, request.tokenizer);
  const sources = (request.search?.plan.sources ?? []).map((source) =>
    source.kind === 'http' ? null : find(known, source.model),
  );
  const demand = demandOf(request, views, { models, sources }, text, maxRows);
  const perModel = [...demand.values()];
  const widths = models.map(({ info }) => info.vocabSize);
  const promptTokens = new Map<EngineModel, number>();
  models.forEach((model, v) => promptTokens.set(model, (promptTokens.get(model) ?? 0) + promptOf(request, v).length));
  return {
    views,
    models,
    tokenizer,
    sources,
    demand,
    rows: perModel.reduce((sum, own) => sum + own.rows, 0),
    price: perModel.reduce((sum, own) => sum + own.rows * own.length, 0),
    promptTokens,
    kernels: request.pooling ? [] : needsOf(request, views, widths),
  };
}

function find(models: ReadonlyMap<string, EngineModel>, name: string): EngineModel {
  const model = models.get(name);
  if (!model)
    throw new AppError('model_not_found', { param: 'model', model: name, available: [...models.keys()].join(', ') });
  return model;
}
