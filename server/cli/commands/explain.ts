// Declares trimtab explain.
import { loadConfig } from '../../config.js';
import { configOption, type Declare } from '../command.js';

interface Flags {
  readonly config?: string;
  readonly graph: boolean;
  readonly json: boolean;
}

export const declareExplain: Declare = (program, { stdout }) => {
  program
    .command('explain')
    .description('print what a decoding spec computes: formula, views, kernel, forwards per token')
    .argument('<spec>', 'a JSON file with a decoding spec, or the name of a deployment, model or method')
    .addOption(configOption())
    .option('--graph', 'also print the kernel as a graph', false)
    .option('--json', 'print one JSON object', false)
    .addHelpText(
      'after',
      `
Nothing is loaded and nothing is computed.

Examples:
  $ trimtab explain pocket-eft
  $ trimtab explain fusion                         the parameters of a method
  $ trimtab explain spec.json --graph

Exit codes: 0 printed, 1 the spec is wrong, 2 wrong usage.`,
    )
    .action(async (target: string, { config, ...options }: Flags) => {
      const { explainCommand } = await import('../explain.js');
      const known = loadConfig({ checkFolders: false, ...(config === undefined ? {} : { path: config }) });
      await explainCommand(target, known, options, stdout);
    });
};
