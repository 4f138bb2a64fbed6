// The commands, their options and their help, and the one door through which all of them leave: an exit code (0 done, 1 failed, 2 asked
// wrongly) after at most one line of complaint. What a command does is in the files beside this one. Called by cli.ts and by tests.
import { Command, CommanderError, InvalidArgumentError, Option } from 'commander';
import { defaultArtifactDirectory, defaultThreads, loadConfig } from '../config.js';
import { weightsNames, type WeightsName } from '../config/schema.js';
import { version } from '../version.js';
import { exitCodes, reportFailure } from './failure.js';
import { Progress } from './progress.js';
import type { Output } from './terminal.js';

const wholeNumber =
  (least: number, most: number) =>
  (text: string): number => {
    const value = Number(text);
    if (/^\d+$/.test(text) && value >= least && value <= most) return value;
    throw new InvalidArgumentError(`Give a whole number from ${least} to ${most}.`);
  };

function tokenIds(text: string): number[] {
  if (/^\s*\d{1,9}(\s*,\s*\d{1,9})*\s*$/.test(text)) return text.split(',').map(Number);
  throw new InvalidArgumentError('Give token ids separated by commas, e.g. 1,2,3.');
}

function blockSize(text: string): number {
  if (['16', '32', '64', '128', '256'].includes(text)) return Number(text);
  throw new InvalidArgumentError('Give 16, 32, 64, 128 or 256.');
}

/** Repeatable: --model a=dir --model b=dir. */
function namedFolder(text: string, before: ReadonlyMap<string, string> = new Map()): ReadonlyMap<string, string> {
  const [name, ...folder] = text.split('=');
  if (name === undefined || name === '' || folder.join('=') === '') {
    throw new InvalidArgumentError('Give NAME=FOLDER, e.g. my-model=./checkpoints/my-model.');
  }
  if (before.has(name)) throw new InvalidArgumentError(`The name ${name} is given twice.`);
  return new Map([...before, [name, folder.join('=')]]);
}

const weightsOption = (help: string): Option => new Option('--weights <format>', help).choices(weightsNames);
const threadsOption = (): Option =>
  new Option('--threads <n>', 'threads that compute (default: one per core)').argParser(wholeNumber(1, 256));
const configOption = (): Option =>
  new Option(
    '--config <file>',
    'configuration file (default: ./trimtab.config.json, else the pocket suite in the box)',
  );

interface ServeFlags {
  readonly config?: string;
  readonly port?: number;
  readonly host?: string;
  readonly model?: ReadonlyMap<string, string>;
  readonly weights?: WeightsName;
  readonly threads?: number;
}
interface ConvertFlags {
  readonly weights: WeightsName;
  readonly out?: string;
  readonly block?: number;
}
interface LogitsFlags {
  readonly weights: WeightsName;
  readonly ids: readonly number[];
  readonly greedy: number;
  readonly json: boolean;
  readonly threads?: number;
}
interface ExplainFlags {
  readonly config?: string;
  readonly graph: boolean;
  readonly json: boolean;
}

function declare(stdout: Output, stderr: Output): Command {
  const program = new Command('trimtab')
    .description('Serves language models and steers them while they decode, behind the OpenAI API.')
    .version(version, '-V, --version', 'print the version')
    .option('--verbose', 'print stacks of unexpected errors', false)
    .helpCommand('help [command]', 'show the help of a command')
    .showHelpAfterError('Run with --help for the options.')
    .configureHelp({ showGlobalOptions: true })
    .configureOutput({
      writeOut: (text) => stdout.write(text),
      writeErr: (text) => stderr.write(text),
      getOutHelpWidth: () => stdout.columns ?? 100,
      getErrHelpWidth: () => stderr.columns ?? 100,
    })
    // commander would end the process: here it throws, after it has said what was wrong. Commands declared below inherit this.
    .exitOverride()
    .addHelpText(
      'after',
      `
Start here:
  $ trimtab serve                                  the pocket suite on http://127.0.0.1:8000
  $ trimtab serve --model my-model=./checkpoint    one Hugging Face checkpoint of your own
  $ trimtab explain pocket-eft                     what a deployment computes

Exit codes: 0 done, 1 failed, 2 wrong usage.`,
    );

  const isVerbose = (): boolean => program.opts<{ verbose: boolean }>().verbose;

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
    .addOption(
      new Option('--port <n>', 'port, 0 for a free one (default: PORT, else 8000)').argParser(wholeNumber(0, 65535)),
    )
    .option('--host <address>', 'address to listen on (default: 127.0.0.1)')
    .addOption(threadsOption())
    .addHelpText(
      'after',
      `
The port opens at once: GET /health answers while models are converted and loaded, GET /ready says 503 until they are.
SIGTERM or Ctrl-C: running answers are finished within limits.drainTimeoutMs, then the process ends.

Examples:
  $ trimtab serve --port 8080
  $ trimtab serve --config trimtab.config.json --threads 8
  $ trimtab serve --model large=./Llama-3.2-1B --weights q4`,
    )
    .action(async ({ config, model, ...rest }: ServeFlags) => {
      const { serveCommand } = await import('./serve.js');
      const overrides = {
        ...rest,
        ...(config === undefined ? {} : { path: config }),
        ...(model === undefined ? {} : { models: model }),
      };
      await serveCommand(loadConfig(overrides), stdout, stderr, isVerbose());
    });

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
Examples:
  $ trimtab convert ./Llama-3.2-1B --weights q4
  $ trimtab convert ./Llama-3.2-1B --weights q8 --block 128 --out ./converted`,
    )
    .action(async (folder: string, flags: ConvertFlags) => {
      const { convertCommand } = await import('./convert.js');
      const artifactDirectory = defaultArtifactDirectory();
      await convertCommand(folder, { ...flags, artifactDirectory }, stdout, new Progress(stderr));
    });

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
  $ trimtab logits ./checkpoint --weights q4 --ids 1,2,3 --greedy 12 --json`,
    )
    .action(async (folder: string, { threads = defaultThreads(), ...flags }: LogitsFlags) => {
      const { logitsCommand } = await import('./logits.js');
      const options = { ...flags, threads, artifactDirectory: defaultArtifactDirectory() };
      await logitsCommand(folder, options, stdout, new Progress(stderr));
    });

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
Examples:
  $ trimtab explain pocket-eft
  $ trimtab explain fusion                         the parameters of a method
  $ trimtab explain spec.json --graph`,
    )
    .action(async (target: string, { config, ...options }: ExplainFlags) => {
      const { explainCommand } = await import('./explain.js');
      const known = loadConfig({ checkFolders: false, ...(config === undefined ? {} : { path: config }) });
      await explainCommand(target, known, options, stdout);
    });

  program
    .command('schema')
    .description('print the JSON Schema of trimtab.config.json')
    .option('--markdown', 'print the reference page instead', false)
    .action(async ({ markdown }: { markdown: boolean }) => {
      const { publishedSchema, referencePage } = await import('../config/document.js');
      stdout.write(markdown ? referencePage() : `${JSON.stringify(publishedSchema(), null, 2)}\n`);
    });

  program
    .command('version')
    .description('print the version')
    .action(() => {
      stdout.write(`${version}\n`);
    });

  return program;
}

/** Runs one command line (without the program's own name) and returns its exit code. */
export async function runCommandLine(args: readonly string[], stdout: Output, stderr: Output): Promise<number> {
  const program = declare(stdout, stderr);
  try {
    if (args.length === 0) program.help({ error: true });
    await program.parseAsync(args, { from: 'user' });
    return exitCodes.ok;
  } catch (error) {
    if (error instanceof CommanderError) return error.exitCode === 0 ? exitCodes.ok : exitCodes.usage;
    reportFailure(error, stderr, program.opts<{ verbose: boolean }>().verbose);
    return exitCodes.failed;
  }
}
