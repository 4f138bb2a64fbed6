// Declares trimtab models.
import { loadConfig } from '../../config.js';
import { configOption, type Declare } from '../command.js';

interface Flags {
  readonly config?: string;
  readonly json: boolean;
}

export const declareModels: Declare = (program, { stdout }) => {
  program
    .command('models')
    .description(
      'list what a configuration serves: deployments with their members, models with size, format and memory',
    )
    .addOption(configOption())
    .option('--json', 'print one JSON object', false)
    .addHelpText(
      'after',
      `
Reads files only: nothing is converted, loaded or asked of a server. Memory is what the weights take once they are loaded, and what
1000 tokens of one sequence take in the cache.

Examples:
  $ trimtab models
  $ trimtab models --config trimtab.config.json --json

Exit codes: 0 printed, 1 the configuration or a model's folder is wrong (trimtab doctor says more), 2 wrong usage.`,
    )
    .action(async ({ config, json }: Flags) => {
      const { modelsCommand } = await import('../models.js');
      modelsCommand(loadConfig(config === undefined ? {} : { path: config }), json, stdout);
    });
};
