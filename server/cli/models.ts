// trimtab models: what a configuration serves, from its files alone.
import { buildDecoding, SpecError } from '../../decoders/spec.js';
import { explainDecoding } from '../../decoders/explain.js';
import type { Config } from '../config.js';
import { AppError } from '../errors.js';
import { footprintOf } from '../models/footprint.js';
import { shown } from '../wire/shown.js';
import { specOptions } from './spec-options.js';
import { columns, siCount, styleFor, type Output } from './terminal.js';

const CACHE_TOKENS = 1000;

export function modelsCommand(config: Config, asJson: boolean, stdout: Output): void {
  const models = config.models.map((model) => ({ ...model, ...footprintOf(model, config.artifactDirectory) }));
  const deployments = config.deployments.map(({ name, decoding }) => {
    const built = explainDecoding(buildDeployment(config, name, decoding));
    const members = [...new Set(Object.keys(built.forwards_per_token))];
    return { name, method: built.method.name, formula: built.formula, members, forwards: built.forwards_per_token };
  });
  if (asJson) {
    const wire = models.map((model) => ({
      name: model.name,
      kind: model.kind,
      path: model.path,
      family: model.family,
      parameters: model.parameters,
      weights: model.weights,
      weight_bytes: model.weightBytes,
      converted: model.isConverted,
      cache_bytes_per_token: model.cacheBytesPerToken,
      context_length: model.contextLength,
    }));
    const specs = deployments.map(({ forwards, ...rest }) => ({ ...rest, forwards_per_token: forwards }));
    stdout.write(`${JSON.stringify({ file: config.file, models: wire, deployments: specs }, null, 2)}\n`);
    return;
  }
  const style = styleFor(stdout);
  if (deployments.length > 0) {
    stdout.write(`${style.bold('deployments')} (clients name them in the field model)\n`);
    stdout.write(`${columns(deployments.map(({ name, method, formula }) => [`  ${name}`, method, formula]))}\n\n`);
  }
  const rows = models.map((model) => [
    `  ${model.name}`,
    model.heads === null ? model.family : `${model.family}, scores ${model.heads.join(', ')}`,
    siCount(model.parameters),
    model.weights,
    `${siCount(model.weightBytes)}B${model.isConverted ? '' : ' (not converted yet)'}`,
    `${siCount(model.cacheBytesPerToken * CACHE_TOKENS)}B`,
    String(model.contextLength),
  ]);
  const head = ['  name', 'family', 'parameters', 'weights', 'memory', `cache of ${CACHE_TOKENS} tokens`, 'context'];
  stdout.write(`${style.bold('models')}\n${columns([head, ...rows])}\n\n`);
  const total = models.reduce((sum, { weightBytes }) => sum + weightBytes, 0);
  stdout.write(
    `${models.length} models, ${siCount(total)}B of weights; up to ${siCount(config.limits.cacheBytes)}B of cache per model (limits.cacheBytes)\n`,
  );
}

function buildDeployment(config: Config, name: string, decoding: unknown): ReturnType<typeof buildDecoding> {
  try {
    return buildDecoding(decoding, specOptions(config));
  } catch (error) {
    if (!(error instanceof SpecError)) throw error;
    const key = `deployments.${name}.${error.path}`;
    const { problem, remedy } = error;
    throw new AppError(
      'config_invalid',
      { path: config.file ?? 'command line', key, problem, value: shown(error.value), remedy },
      { cause: error },
    );
  }
}
