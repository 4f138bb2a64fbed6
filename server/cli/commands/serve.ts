// Declares trimtab serve.
import { Option } from 'commander';
import { loadConfig } from '../../config.js';
import type { WeightsName } from '../../models/weight-format.js';
import { configOption, namedFolder, portOption, threadsOption, weightsOption, type Declare } from '../command.js';

interface Flags {
  readonly config?: string;
  readonly port?: number;
  readonly host?: string;
  readonly model?: ReadonlyMap<string, string>;
  readonly weights?: WeightsName;
  readonly threads?: number;
}

export const declareServe: Declare = (program, { stdout, stderr, isVerbose }) => {
  program
    .command('serve')
    .description('serve models and deployments over HTTP')
    .addOption(configOption())
    .addOption(
      new Option('--model <name=folder>', 'serve this checkpoint instead of a configuration; may be repeated')
        .argParser(namedFolder)
        .conflicts('config'),
    )
    .addOption(weightsOption('store the weights of all models like this'))
    .addOption(portOption())
    .option('--host <address>', 'address to listen on (default: 127.0.0.1)')
    .addOption(threadsOption())
    .addHelpText(
      'after',
      `
The port opens at once: GET /health answers while models are converted and loaded, GET /ready says 503 until they are.
SIGTERM or Ctrl-C: running answers are finished within limits.drainTimeoutMs, then the process ends; again: at once.
SIGHUP: the configuration is read again and taken, or refused and the one before stays.

Examples:
  $ trimtab serve --port 8080
  $ trimtab serve --config trimtab.config.json --threads 8
  $ trimtab serve --model large=./Llama-3.2-1B --weights q4

Exit codes: 0 stopped as asked, 1 it could not start or its engine failed, 2 wrong usage.`,
    )
    .action(async ({ config, model, ...rest }: Flags) => {
      const { serveCommand } = await import('../serve.js');
      const overrides = {
        ...rest,
        ...(config === undefined ? {} : { path: config }),
        ...(model === undefined ? {} : { models: model }),
      };
      await serveCommand(() => loadConfig(overrides), stdout, stderr, isVerbose());
    });
};
