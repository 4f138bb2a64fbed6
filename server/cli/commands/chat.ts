// Declares trimtab chat.
import { clientKey } from '../../config.js';
import type { ChatOptions } from '../chat.js';
import { configOption, keyOption, threadsOption, urlOption, type Declare } from '../command.js';

export const declareChat: Declare = (program, context) => {
  program
    .command('chat')
    .description('talk to a model in the terminal, and see how far each word was steered')
    .addOption(urlOption('a running server (default: one is started for this chat, and ended with it)'))
    .addOption(keyOption())
    .addOption(configOption().conflicts('url'))
    .option('--model <name>', 'model or deployment to begin with (default: the first deployment)')
    .option('--no-color', 'no colours (NO_COLOR does the same)')
    .addOption(threadsOption().conflicts('url'))
    .addHelpText(
      'after',
      `
Each word has the colour of how far it was steered, in nats, from what the first model alone would have said. Where output is
no terminal, words have no colour. Type /help in the chat for what can be changed there; Ctrl-C ends an answer, Ctrl-D the chat.

Examples:
  $ trimtab chat
  $ trimtab chat --model pocket-eft
  $ trimtab chat --url http://127.0.0.1:8000
  $ echo 'What does Tar Alley smell of?' | trimtab chat --model pocket-eft

Exit codes: 0 the chat ended, 1 no server could be reached or started, or a piped question failed, 2 wrong usage.`,
    )
    .action(async ({ apiKey, ...flags }: ChatOptions) => {
      const { chatCommand } = await import('../chat.js');
      const key = apiKey ?? clientKey();
      await chatCommand({ ...flags, ...(key === undefined ? {} : { apiKey: key }) }, context);
    });
};
