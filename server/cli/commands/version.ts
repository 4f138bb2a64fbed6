// Declares trimtab version.
import { version } from '../../version.js';
import type { Declare } from '../command.js';

export const declareVersion: Declare = (program, { stdout }) => {
  program
    .command('version')
    .description('print the version')
    .action(() => {
      stdout.write(`${version}\n`);
    });
};
