// Declares trimtab doctor.
import { configOption, portOption, type Declare } from '../command.js';
import { exitCodes } from '../failure.js';
import { Progress } from '../progress.js';

interface Flags {
  readonly config?: string;
  readonly port?: number;
  readonly load: boolean;
  readonly json: boolean;
}

export const declareDoctor: Declare = (program, { stdout, stderr, setExitCode }) => {
  program
    .command('doctor')
    .description('check this machine, the configuration and the models, and say what to do about each problem')
    .addOption(configOption())
    .addOption(portOption())
    .option('--no-load', 'only look at files: do not convert and load each model')
    .option('--json', 'print one JSON object', false)
    .addHelpText(
      'after',
      `
Checks Node and the runtime, the processor, memory against what the models need, the configuration, the artifact folder and its
space, each model (files, checksums of what was converted, whether it loads and computes), the port, and GPU adapters.

Examples:
  $ trimtab doctor
  $ trimtab doctor --config trimtab.config.json --no-load
  $ trimtab doctor --json | jq '.checks[] | select(.status == "fail")'

Exit codes: 0 nothing fails (there may be warnings), 1 at least one check fails, 2 wrong usage.`,
    )
    .action(async (flags: Flags) => {
      const { doctorCommand } = await import('../doctor.js');
      const isWell = await doctorCommand(flags, stdout, new Progress(stderr));
      if (!isWell) setExitCode(exitCodes.failed);
    });
};
