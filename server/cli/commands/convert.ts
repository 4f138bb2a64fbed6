// Declares trimtab convert.
import { InvalidArgumentError, Option } from 'commander';
import { defaultArtifactDirectory } from '../../config.js';
import type { WeightsName } from '../../models/weight-format.js';
import { weightsOption, type Declare } from '../command.js';
import { Progress } from '../progress.js';

interface Flags {
  readonly weights: WeightsName;
  readonly out?: string;
  readonly block?: number;
}

function blockSize(text: string): number {
  if (['16', '32', '64', '128', '256'].includes(text)) return Number(text);
  throw new InvalidArgumentError('Give 16, 32, 64, 128 or 256.');
}

export const declareConvert: Declare = (program, { stdout, stderr }) => {
  program
    .command('convert')
    .description('convert a Hugging Face checkpoint into an artifact; serve does it on first use')
    .argument('<folder>', 'folder with config.json, *.safetensors and tokenizer.json')
    .addOption(weightsOption('how to store the weights').makeOptionMandatory())
    .option('--out <folder>', 'where to put it (default: the artifact cache)')
    .addOption(
      new Option('--block <n>', 'weights per scale, for q8 and q4: 16, 32, 64, 128 or 256').argParser(blockSize),
    )
    .addHelpText(
      'after',
      `
f32 is exact; q8 and q4 are 8 and 4 bit blocks; w8a8 is 8 bit weights with 8 bit activations, the fastest on most CPUs;
f16, q8f16 and q4f16 compute in 16 bits, for a GPU that can.
The first line that is printed is the artifact's folder, for scripts.

Examples:
  $ trimtab convert ./Llama-3.2-1B --weights q4
  $ trimtab convert ./Llama-3.2-1B --weights q8 --block 128 --out ./converted

Exit codes: 0 converted or there already, 1 failed, 2 wrong usage.`,
    )
    .action(async (folder: string, flags: Flags) => {
      const { convertCommand } = await import('../convert.js');
      const artifactDirectory = defaultArtifactDirectory();
      await convertCommand(folder, { ...flags, artifactDirectory }, stdout, new Progress(stderr));
    });
};
