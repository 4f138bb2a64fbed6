// Declares trimtab schema.
import type { Declare } from '../command.js';

export const declareSchema: Declare = (program, { stdout }) => {
  program
    .command('schema')
    .description('print the JSON Schema of trimtab.config.json')
    .option('--markdown', 'print the reference page instead', false)
    .addHelpText(
      'after',
      `
Examples:
  $ trimtab schema > trimtab.schema.json
  $ trimtab schema --markdown | less`,
    )
    .action(async ({ markdown }: { markdown: boolean }) => {
      const { publishedSchema, referencePage } = await import('../../config/document.js');
      stdout.write(markdown ? referencePage() : `${JSON.stringify(publishedSchema(), null, 2)}\n`);
    });
};
