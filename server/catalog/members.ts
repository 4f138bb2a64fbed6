// What the members of one distribution must have in common, and what each must be able to do: one vocabulary, one device, and a model that
// sees where pictures are to be seen. Knows no request and no deployment: a path says where the spec stands.
import type { View } from '../../decoders/expr.js';
import type { PromptVariant } from '../../decoders/prompt.js';
import { nearest } from '../config/nearest.js';
import type { ModelSettings } from '../engine/messages.js';
import { AppError } from '../errors.js';
import type { VocabularyDifference } from '../models/text-jobs.js';
import { shown } from '../wire/shown.js';
import type { FactsOf } from './facts.js';

export function shareVocabulary(models: readonly string[], factsOf: FactsOf, pathOf: (model: string) => string): void {
  const [first, ...others] = models;
  if (first === undefined) return;
  const own = factsOf(first);
  for (const other of others) {
    const facts = factsOf(other);
    if (facts.vocabularyHash === own.vocabularyHash) continue;
    throw new AppError('vocabulary_mismatch', {
      param: pathOf(other),
      first,
      firstSize: own.vocabSize,
      second: other,
      secondSize: facts.vocabSize,
      difference: describeDifference(own.differences?.get(other), own.vocabSize === facts.vocabSize),
    });
  }
}

function describeDifference(difference: VocabularyDifference | undefined, sizesAgree: boolean): string {
  if (difference === undefined)
    return sizesAgree ? 'the sizes agree, but ids stand for different pieces' : 'sizes differ';
  const { id, piece, otherPiece } = difference;
  const side = (text: string | null): string => (text === null ? 'nothing' : shown(text));
  return `the first token that differs is id ${id}, ${side(piece)} in one and ${side(otherPiece)} in the other`;
}

export function shareDevice(
  [first, ...others]: readonly string[],
  models: readonly ModelSettings[],
  path: string,
): void {
  // A start without a GPU fails where a model insists on one: where all is well, "auto" found it too.
  const auto = models.some(({ device }) => device === 'webgpu') ? 'webgpu' : 'auto';
  const deviceOf = (name: string | undefined): string => {
    const device = models.find((model) => model.name === name)?.device ?? 'cpu';
    return device === 'auto' ? auto : device;
  };
  const stranger = others.find((other) => deviceOf(other) !== deviceOf(first));
  if (stranger === undefined) return;
  throw new AppError('device_mismatch', {
    param: path,
    first,
    firstDevice: deviceOf(first),
    second: stranger,
    secondDevice: deviceOf(stranger),
  });
}

/** What pictures are to be seen by has to be there. */
export function checkLook({ model }: View, variant: PromptVariant | undefined, factsOf: FactsOf, path: string): void {
  if (variant?.kind !== 'images') return;
  const { vision } = factsOf(model);
  const { look } = variant;
  if (!vision)
    throw new AppError('invalid_value', {
      param: path,
      problem: 'it names a way to see pictures, for a model that reads text only',
      value: shown(model),
      remedy: 'Use a model with a vision tower.',
    });
  if (look.kind !== 'projection' || vision.projections.includes(look.name)) return;
  const hint = nearest(look.name, [...vision.projections]);
  throw new AppError('invalid_value', {
    param: path,
    problem: `there is no such projection beside ${model}`,
    value: shown(look.name),
    remedy: `${hint === null ? '' : `Did you mean ${hint}? `}There ${vision.projections.length === 1 ? 'is' : 'are'} ${vision.projections.join(', ') || 'none: put them into the folder projections/ of the checkpoint'}.`,
  });
}

/** Where a spec names the model; null where it does so only through a deployment. */
export function placeOf(model: string, spec: unknown, path: string): string | null {
  if (spec === model) return path;
  if (typeof spec !== 'object' || spec === null) return null;
  for (const [key, value] of Object.entries(spec)) {
    const place = placeOf(model, value, Array.isArray(spec) ? `${path}[${key}]` : `${path}.${key}`);
    if (place !== null) return place;
  }
  return null;
}
