// trimtab explain: what a `decoding` spec computes, without loading a model: formula, views, cost, and the kernel that the views' logits
// meet in. Works on a spec file, a deployment's name, a model's name or, for its parameters alone, a method's name.
import { existsSync, readFileSync } from 'node:fs';
import { describeMethods, describeScorers, explainDecoding } from '../../decoders/explain.js';
import type { Explanation, MethodDescription } from '../../decoders/explain.js';
import { buildDecoding, SpecError, type Decoding } from '../../decoders/spec.js';
import { nearest } from '../config/nearest.js';
import type { Config } from '../config.js';
import { AppError } from '../errors.js';
import { reasonOf } from '../reason.js';
import { shown } from '../wire/shown.js';
import { specOptions } from './spec-options.js';
import { styleFor, table, type Output } from './terminal.js';

export interface ExplainOptions {
  readonly graph: boolean;
  readonly json: boolean;
}

interface Built {
  readonly decoding: Decoding;
  /** Members that the configuration does not know: fine for reading a formula, not for serving it. */
  readonly unknownModels: readonly string[];
}

/** A spec may name models that are not configured here: each such name is taken for a model and reported. */
function build(spec: unknown, config: Config): Built {
  const unknownModels: string[] = [];
  for (;;) {
    try {
      return { decoding: buildDecoding(spec, specOptions(config, unknownModels)), unknownModels };
    } catch (error) {
      if (!(error instanceof SpecError)) throw error;
      const isModel = error.problem === 'unknown name' && typeof error.value === 'string' && error.value !== '';
      if (isModel && typeof error.value === 'string' && !unknownModels.includes(error.value)) {
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
        value: reasonOf(error),
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
  const known = [...config.deployments, ...config.models].map(({ name }) => name);
  // Some names are those of a distribution and of a search.
  const alone = [...describeMethods(), ...describeScorers()].filter(({ name }) => name === target);
  if (alone.length > 0 && !known.includes(target) && !existsSync(target)) {
    const [only] = alone;
    if (options.json) stdout.write(`${JSON.stringify(alone.length === 1 ? only : alone, null, 2)}\n`);
    else stdout.write(alone.map((method) => methodText(method, stdout)).join('\n'));
    return;
  }
  const { decoding, unknownModels } = build(readSpec(target, config), config);
  const explanation = explainDecoding(decoding);
  // Loaded only when asked for: it brings the graph builder along.
  const graph = options.graph ? (await import('./kernel-text.js')).kernelText(decoding.distribution) : null;
  if (options.json) {
    const facts = { ...explanation, unknown_models: unknownModels, ...(graph === null ? {} : { graph }) };
    stdout.write(`${JSON.stringify(facts, null, 2)}\n`);
    return;
  }
  stdout.write(explanationText(explanation, stdout));
  if (unknownModels.length > 0) {
    stdout.write(
      `\nNot configured here: ${unknownModels.join(', ')}. To serve this spec, add them to the models of the config file.\n`,
    );
  }
  if (graph !== null) stdout.write(`\n${graph}\n`);
}

function explanationText(explanation: Explanation, stdout: Output): string {
  const { method, formula, views, forwards_per_token: forwards, kernels, effective, speculation, search } = explanation;
  const total = Object.values(forwards).reduce((sum, count) => sum + count, 0);
  const perModel = Object.entries(forwards).map(([model, count]) => `${model} ${rounded(count)}`);
  const rows: [string, string][] = [
    ...headRows(method),
    ...(search === null ? [] : searchRows(search)),
    ['formula', styleFor(stdout).bold(formula)],
    ['views', views.map(viewText).join(', ')],
    ['forwards per token', `${rounded(total)} (${perModel.join(', ')})`],
    ['kernel', kernels.join(', ')],
    ...(speculation === null
      ? []
      : [['speculation', `${speculation.draft} drafts up to ${speculation.tokens} tokens`] as [string, string]]),
    ['effective spec', JSON.stringify(effective)],
  ];
  return `${table(rows)}\n\n${parametersText(method, stdout)}`;
}

const rounded = (count: number): string => String(Number(count.toFixed(2)));

function searchRows(search: NonNullable<Explanation['search']>): [string, string][] {
  const { granularity, distributions, sources, scored_per_token: scored, branches, note } = search;
  return [
    ['streams', granularity],
    [
      'draws from',
      distributions
        .filter(({ tokens_per_token: tokens }) => tokens > 0)
        .map(({ formula, tokens_per_token: tokens }) => `${formula} (${rounded(tokens)} tokens per token)`)
        .join('; '),
    ],
    ['scores by', `${sources.join('; ')} (${rounded(scored)} answers per token)`],
    ['branches', branches.join(', ')],
    ['note', note],
  ];
}

function methodText(method: MethodDescription, stdout: Output): string {
  return `${table(headRows(method))}\n\n${parametersText(method, stdout)}`;
}

function headRows({ name, kind, summary, equation, paper }: MethodDescription): [string, string][] {
  return [
    [kind === 'scorer' ? 'scorer' : 'method', `${name}: ${summary}`],
    ['equation', equation],
    ...(paper === '' ? [] : [['paper', paper] as [string, string]]),
  ];
}

function parametersText({ parameters }: MethodDescription, stdout: Output): string {
  const style = styleFor(stdout);
  const rows = parameters.map(({ name, type, range, required, default: usual, help }): [string, string] => {
    const byDefault = required ? 'required' : usual === null ? 'optional' : `default ${JSON.stringify(usual)}`;
    return [name, `${help} ${style.dim(`(${[type, range, byDefault].filter((part) => part !== '').join('; ')})`)}`];
  });
  return `parameters\n${table(rows)}\n`;
}

function viewText({ model, prompt }: Explanation['views'][number]): string {
  return prompt === null ? model : `${model} with prompt ${JSON.stringify(prompt)}`;
}
