// The two refusals of a request's fields that most readers need, with the offending value as a client may see it.
import { AppError } from '../errors.js';
import { shown } from './shown.js';

export const invalid = (param: string, problem: string, value: unknown, remedy: string): AppError =>
  new AppError('invalid_value', { param, problem, value: shown(value), remedy });

export const notSupported = (param: string, value: unknown, remedy: string): AppError =>
  new AppError('not_supported', { param, value: shown(value), remedy });
