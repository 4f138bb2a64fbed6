// trimtab explain: what a `decoding` spec computes, without loading a model: formula, views, cost, and the kernel that the views' logits
// meet in. Works on a spec file, a deployment's name or a model's name.
import { existsSync, readFileSync } from 'node:fs';
import { structureKey } from '../../decoders/expr.js';
import { methods } from '../../decoders/distributions/index.js';
import { buildDecoding, explainDistribution, SpecError, type Decoding } from '../../decoders/spec.js';
import { nearest } from '../config/nearest.js';
import type { Config } from '../config.js';
import { AppError } from '../errors.js';
import { shown } from '../wire/shown.js';
import { styleFor, table, type Output } from './terminal.js';

export interface ExplainOptions {
  readonly graph: boolean;
  readonly json: boolean;
}

interface Explained extends Decoding {
  /** Members that the configuration does not know: fine for reading a formula, not for serving it. */
  readonly unknownModels: readonly string[];
}

/** A spec may name models that are not configured here: each such name is taken for a model and reported. */
function build(spec: unknown, config: Config): Explained {
  const unknownModels: string[] = [];
  const deployments = new Map<string, unknown>(config.deployments.map(({ name, decoding }) => [name, decoding]));
  const models = config.models.filter(({ kind }) => kind === 'causal').map(({ name }) => name);
  for (;;) {
    try {
      const options = { models: [...models, ...unknownModels], deployments, allowNegativeWeights: true };
      return { ...buildDecoding(spec, options), unknownModels };
    } catch (error) {
      if (!(error instanceof SpecError)) throw error;
      if (error.problem === 'unknown name' && typeof error.value === 'string' && error.value !== '') {
        unknownModels.push(error.value);
        continue;
      }
      const hint = error.nearest === null ? '' : `Did you mean ${error.nearest}? `;
      throw new AppError(
        'invalid_value',
        { param: error.path, problem: error.problem, value: shown(error.value), remedy: `${hint}${error.remedy}` },
        { cause: error },
      );
    }
  }
}

function readSpec(target: string, config: Config): unknown {
  const deployment = config.deployments.find(({ name }) => name === target);
  if (deployment !== undefined) return deployment.decoding;
  if (config.models.some(({ name }) => name === target)) return { method: 'plain', model: target };
  if (!existsSync(target)) {
    const known = [...config.deployments, ...config.models].map(({ name }) => name);
    const hint = nearest(target, known);
    throw new AppError('invalid_value', {
      param: 'SPEC',
      problem: 'there is no such file, deployment or model',
      value: shown(target),
      remedy: `${hint === null ? '' : `Did you mean ${hint}? `}Give a JSON file with a decoding spec, or one of: ${known.join(', ')}.`,
    });
  }
  try {
    const parsed: unknown = JSON.parse(readFileSync(target, 'utf8'));
    // A whole request or deployment is accepted too: what counts stands under its key `decoding`.
    const inner = (parsed as { decoding?: unknown } | null)?.decoding;
    return inner ?? parsed;
  } catch (error) {
    throw new AppError(
      'invalid_value',
      {
        param: target,
        problem: 'it cannot be read as JSON',
        value: error instanceof Error ? error.message : String(error),
        remedy: 'It must hold one decoding spec, e.g. {"method": "plain", "model": "large"}.',
      },
      { cause: error },
    );
  }
}

export async function explainCommand(
  target: string,
  config: Config,
  options: ExplainOptions,
  stdout: Output,
): Promise<void> {
  const spec = build(readSpec(target, config), config);
  const { formula, views, forwardsPerToken } = explainDistribution(spec.distribution);
  const method = methods.find(({ name }) => name === spec.method);
  const kernel = structureKey(spec.distribution);
  // Loaded only when asked for: it brings the graph builder along.
  const graph = options.graph ? (await import('./kernel-text.js')).kernelText(spec.distribution) : null;
  if (options.json) {
    const { effective, unknownModels } = spec;
    const facts = { method: spec.method, formula, views, forwardsPerToken, kernel, effective, unknownModels };
    stdout.write(`${JSON.stringify(graph === null ? facts : { ...facts, graph }, null, 2)}\n`);
    return;
  }
  const style = styleFor(stdout);
  const total = Object.values(forwardsPerToken).reduce((sum, count) => sum + count, 0);
  const perModel = Object.entries(forwardsPerToken).map(([model, count]) => `${model} ${count}`);
  const rows: [string, string][] = [
    ['method', `${spec.method}${method === undefined ? '' : `: ${method.summary}`}`],
    ...(method === undefined || method.equation === '' ? [] : [['equation', method.equation] as [string, string]]),
    ...(method === undefined || method.paper === '' ? [] : [['paper', method.paper] as [string, string]]),
    ['formula', style.bold(formula)],
    ['views', views.map(({ model, prompt }) => (prompt === 'default' ? model : `${model} [${prompt}]`)).join(', ')],
    ['forwards per token', `${total} (${perModel.join(', ')})`],
    ['kernel', kernel],
    ['effective spec', JSON.stringify(spec.effective)],
  ];
  stdout.write(`${table(rows)}\n`);
  if (spec.unknownModels.length > 0) {
    stdout.write(
      `\nNot configured here: ${spec.unknownModels.join(', ')}. To serve this spec, add them to the models of the config file.\n`,
    );
  }
  if (graph !== null) stdout.write(`\n${graph}\n`);
}
