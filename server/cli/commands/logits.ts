// Declares trimtab logits.
import { InvalidArgumentError, Option } from 'commander';
import { defaultArtifactDirectory, defaultThreads } from '../../config.js';
import type { WeightsName } from '../../models/weight-format.js';
import { threadsOption, weightsOption, wholeNumber, type Declare } from '../command.js';
import { Progress } from '../progress.js';

interface Flags {
  readonly weights: WeightsName;
  readonly ids: readonly number[];
  readonly greedy: number;
  readonly json: boolean;
  readonly threads?: number;
}

function tokenIds(text: string): number[] {
  if (/^\s*\d{1,9}(\s*,\s*\d{1,9})*\s*$/.test(text)) return text.split(',').map(Number);
  throw new InvalidArgumentError('Give token ids separated by commas, e.g. 1,2,3.');
}

export const declareLogits: Declare = (program, { stdout, stderr }) => {
  program
    .command('logits')
    .description('print the raw scores of a checkpoint for given token ids')
    .argument('<folder>', 'folder with config.json, *.safetensors and tokenizer.json')
    .addOption(weightsOption('how to store the weights').default('f32'))
    .requiredOption('--ids <list>', 'token ids, e.g. 1,2,3', tokenIds)
    .addOption(
      new Option('--greedy <n>', 'also continue with the n likeliest tokens, ignoring end tokens')
        .argParser(wholeNumber(0, 1_000_000))
        .default(0),
    )
    .option('--json', 'print {"logits": [[...] per position], "greedy": [...]}', false)
    .addOption(threadsOption())
    .addHelpText(
      'after',
      `
Examples:
  $ trimtab logits ./checkpoint --ids 1,2,3
  $ trimtab logits ./checkpoint --weights q4 --ids 1,2,3 --greedy 12 --json

Exit codes: 0 printed, 1 failed, 2 wrong usage.`,
    )
    .action(async (folder: string, { threads = defaultThreads(), ...flags }: Flags) => {
      const { logitsCommand } = await import('../logits.js');
      const options = { ...flags, threads, artifactDirectory: defaultArtifactDirectory() };
      await logitsCommand(folder, options, stdout, new Progress(stderr));
    });
};
