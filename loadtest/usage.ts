// How these programs end when they are asked wrongly: by 2, as every command does, where commander would end them by 1. What was wrong has been
// said by then. Passed to exitOverride by each of them.
import type { CommanderError } from 'commander';

export const exitForUsage = ({ exitCode }: CommanderError): never => process.exit(exitCode === 0 ? 0 : 2);
