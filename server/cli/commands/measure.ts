// Declares trimtab bench, scoreboard and loadtest: programs of loadtest/, which this one starts and knows nothing else of.
import type { Declare } from '../command.js';

interface Measurement {
  readonly name: string;
  /** Below dist/loadtest. */
  readonly script: string;
  readonly description: string;
  readonly help: string;
}

const measurements: readonly Measurement[] = [
  {
    name: 'bench',
    script: 'bench/main.js',
    description: 'measure kernels, engine and HTTP on this machine',
    help: `
Slow by design, and worth little while anything else runs. docs/benchmarks.md says what the figures mean.

Examples:
  $ trimtab bench --only logits
  $ trimtab bench --json > bench.json

Exit codes: 0 measured, 1 failed, 2 wrong usage.`,
  },
  {
    name: 'scoreboard',
    script: 'scoreboard/main.js',
    description: "measure every method on the pocket world beside its paper's claim",
    help: `
Starts a server of its own unless --url names one. Takes minutes with --quick and hours without.

Examples:
  $ trimtab scoreboard --quick
  $ trimtab scoreboard --method eft --quick --json

Exit codes: 0 measured, 1 failed, 2 wrong usage.`,
  },
  {
    name: 'loadtest',
    script: 'main.js',
    description: 'send load to a running server: first token, gaps between tokens, goodput, cost of each method',
    help: `
docs/loadtest.md says what the figures mean and how to read the report.

Examples:
  $ trimtab loadtest --url http://127.0.0.1:8000 --rate 4 --requests 60 --goodput ttft:500 tpot:50
  $ trimtab loadtest --url http://127.0.0.1:8000 --sweep 1,2,4,8 --report report.html

Exit codes: 0 every request was answered, 1 some failed, 2 wrong usage.`,
  },
];

export const declareMeasurements: Declare = (program, { stdout, setExitCode }) => {
  for (const { name, script, description, help } of measurements) {
    program
      .command(name)
      .description(description)
      .argument('[options...]', 'its own options follow')
      // They are the script's: it knows them, and its own --help lists them.
      .allowUnknownOption()
      .helpOption(false)
      .addHelpText('after', `\nIts own options: trimtab ${name} --help\n${help}`)
      .action(async (_options: readonly string[], _flags: unknown, command: { readonly args: readonly string[] }) => {
        const { runScript } = await import('../script.js');
        const isHelp = command.args.some((arg) => arg === '--help' || arg === '-h');
        const code = await runScript(script, command.args);
        if (isHelp && code === 0) stdout.write(`${help}\n`);
        setExitCode(code);
      });
  }
};
