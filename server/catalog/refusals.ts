// The catalog's complaints, in the words of whom they go to: the operator, of a place in the configuration; a client, of a field of the request.
import type { SpecError } from '../../decoders/spec.js';
import { nearest } from '../config/nearest.js';
import type { CatalogEntry } from '../context.js';
import { AppError } from '../errors.js';
import { shown } from '../wire/shown.js';

export type Misconfigured = (key: string, problem: string, value: unknown, remedy: string) => AppError;

/** Of a configuration file, or, without one, of the command line. */
export const misconfiguredIn =
  (file: string | null): Misconfigured =>
  (key, problem, value, remedy) =>
    new AppError('config_invalid', { path: file ?? 'command line', key, problem, value: shown(value), remedy });

const rewardProblem = 'it is a reward model, which gives scores and predicts no tokens';

/** A spec's own complaint in the words of the wire. */
export function requestError(error: SpecError, isReward: (model: unknown) => boolean): AppError {
  const { path, problem, value, remedy, known } = error;
  const hint = error.nearest === null ? '' : ` Did you mean ${error.nearest}?`;
  if (problem === 'unknown key') {
    return new AppError(
      'unknown_key',
      {
        param: path,
        key: shown(path.split('.').at(-1)),
        where: path.split('.').slice(0, -1).join('.'),
        nearest: hint,
        known: known.join(', '),
      },
      { cause: error },
    );
  }
  return new AppError(
    'invalid_value',
    {
      param: path,
      problem: isReward(value) ? rewardProblem : problem,
      value: shown(value),
      remedy: `${hint} ${remedy}`.trim(),
    },
    { cause: error },
  );
}

export function modelNotFound(model: string, entries: readonly CatalogEntry[], isReward: boolean): AppError {
  const known = entries.map(({ id }) => id);
  const near = isReward ? null : nearest(model, known);
  const hint = isReward ? rewardProblem : near === null ? null : `did you mean ${near}?`;
  return new AppError('model_not_found', {
    param: 'model',
    model: shown(model),
    available: `${known.join(', ')}${hint === null ? '' : ` (${hint})`}`,
  });
}
