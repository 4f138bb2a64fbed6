// Checks of the models: their files, what they will take, whether their tokenizers fit the deployments, and whether each can be converted,
// loaded and asked for one token's scores.
import { DecoderModel } from '../../../kernels/decoder/model.js';
import { Catalog } from '../../catalog.js';
import type { Config } from '../../config.js';
import type { ModelSettings } from '../../engine/messages.js';
import { ensureArtifact } from '../../models/artifacts.js';
import { footprintOf, type Footprint } from '../../models/footprint.js';
import { TextService } from '../../models/text.js';
import { computesInFloat16 } from '../../models/weight-format.js';
import { computeLogits } from '../logits.js';
import type { Progress } from '../progress.js';
import { siCount } from '../terminal.js';
import { fail, failure, ok, type Finding } from './finding.js';

export interface Inspected {
  readonly findings: readonly Finding[];
  /** Of the models whose files are in order. */
  readonly footprints: ReadonlyMap<ModelSettings, Footprint>;
}

const nameOf = ({ name }: ModelSettings): string => `model ${name}`;

export function inspectFiles({ models, artifactDirectory }: Config): Inspected {
  const footprints = new Map<ModelSettings, Footprint>();
  const findings = models.flatMap((model): Finding[] => {
    try {
      const footprint = footprintOf(model, artifactDirectory);
      footprints.set(model, footprint);
      const mismatch = kindMismatch(model, footprint);
      if (mismatch !== null) return [mismatch];
      return [];
    } catch (error) {
      return [failure(nameOf(model), error)];
    }
  });
  return { findings, footprints };
}

function kindMismatch(model: ModelSettings, { heads }: Footprint): Finding | null {
  if ((heads !== null) === (model.kind === 'reward')) return null;
  return heads === null
    ? fail(
        nameOf(model),
        'kind is reward, but the checkpoint predicts tokens',
        `Set models.${model.name}.kind to causal.`,
      )
    : fail(
        nameOf(model),
        'kind is causal, but the checkpoint has a head of scores',
        `Set models.${model.name}.kind to reward.`,
      );
}

/** Converts where that is still to be done, loads, and computes one row. */
export async function tryModel(
  model: ModelSettings,
  footprint: Footprint,
  config: Config,
  progress: Progress,
): Promise<Finding> {
  // The CPU does not compute in float16, and what the GPU's check finds decides whether the model starts.
  if (computesInFloat16(model.weights)) return untried(model, footprint);
  try {
    const started = performance.now();
    const artifact = await ensureArtifact({
      path: model.path,
      weights: model.weights,
      artifactDirectory: config.artifactDirectory,
      onProgress: (stage, fraction) => progress.report(`${model.name}: ${stage}`, fraction),
    });
    progress.clear();
    const loaded = await DecoderModel.load(artifact.directory, { threads: config.runtime.threads });
    try {
      const { logits } = await computeLogits(loaded, [0, 1], 0);
      const wrong = logits.some((row) => row.some((score) => !Number.isFinite(score)));
      if (wrong)
        return fail(
          nameOf(model),
          'it computes scores that are no numbers',
          'Download the checkpoint again, or use f32.',
        );
    } finally {
      await loaded.release();
    }
    const seconds = ((performance.now() - started) / 1000).toFixed(1);
    return ok(nameOf(model), `${about(model, footprint)}; checked, loaded and run in ${seconds} s`);
  } catch (error) {
    progress.clear();
    return failure(nameOf(model), error);
  }
}

export const untried = (model: ModelSettings, footprint: Footprint): Finding =>
  ok(nameOf(model), `${about(model, footprint)}; ${footprint.isConverted ? 'converted' : 'to be converted'}`);

const about = ({ weights }: ModelSettings, { family, parameters }: Footprint): string =>
  `${family}, ${siCount(parameters)} parameters, ${weights}`;

/** Tokenizers, templates, and every deployment against them, exactly as a start would. */
export async function checkDeployments(config: Config): Promise<Finding> {
  const text = new TextService(config.models, { timeoutMs: config.limits.textTimeoutMs });
  try {
    const catalog = new Catalog(config, await text.load(), 0);
    const names = catalog.list().filter(({ kind }) => kind === 'deployment');
    return ok('deployments', names.length === 0 ? 'none' : `${names.length}: ${names.map(({ id }) => id).join(', ')}`);
  } catch (error) {
    return failure('deployments', error);
  } finally {
    await text.close();
  }
}
