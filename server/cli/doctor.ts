// trimtab doctor: every check in its order, what it found, and what to do about it. The checks are in doctor/.
import { loadConfig, type Config } from '../config.js';
import { computesInFloat16 } from '../models/weight-format.js';
import { checkAdapters, checkMemory, checkNode, checkProcessor, checkRuntime } from './doctor/machine.js';
import { failure, type Finding, type Status } from './doctor/finding.js';
import { checkDeployments, inspectFiles, tryModel, untried } from './doctor/models.js';
import { checkArtifacts, checkPort } from './doctor/storage.js';
import type { Progress } from './progress.js';
import { styleFor, type Output, type Style } from './terminal.js';

export interface DoctorOptions {
  readonly config?: string;
  readonly port?: number;
  readonly load: boolean;
  readonly json: boolean;
}

/** False where something fails. */
export async function doctorCommand(options: DoctorOptions, stdout: Output, progress: Progress): Promise<boolean> {
  const style = styleFor(stdout);
  const findings: Finding[] = [];
  const tell = (...found: readonly Finding[]): void => {
    findings.push(...found);
    if (!options.json) for (const finding of found) stdout.write(`${line(finding, style)}\n`);
  };
  tell(checkNode(), checkRuntime());
  let config: Config | null = null;
  try {
    config = loadConfig({
      ...(options.config === undefined ? {} : { path: options.config }),
      ...(options.port === undefined ? {} : { port: options.port }),
    });
  } catch (error) {
    tell(failure('configuration', error));
  }
  if (config !== null) await checkConfigured(config, options.load, tell, progress);
  const onDevice = config?.models.filter(({ device }) => device !== 'cpu') ?? [];
  const inFloat16 = onDevice.filter(({ weights }) => computesInFloat16(weights));
  tell(await checkAdapters(onDevice.length > 0, inFloat16));
  const count = (status: Status): number => findings.filter((finding) => finding.status === status).length;
  if (options.json) {
    stdout.write(`${JSON.stringify({ ok: count('fail') === 0, checks: findings }, null, 2)}\n`);
  } else {
    const verdict =
      count('fail') === 0 ? style.green('nothing fails') : style.red(`${plural(count('fail'), 'check')} failed`);
    stdout.write(`\n${verdict}, ${plural(count('warn'), 'warning')}\n`);
  }
  return count('fail') === 0;
}

async function checkConfigured(
  config: Config,
  load: boolean,
  tell: (...found: readonly Finding[]) => void,
  progress: Progress,
): Promise<void> {
  tell(
    { name: 'configuration', status: 'ok', text: config.file ?? 'command line', remedy: null },
    ...checkProcessor(config.runtime.threads),
  );
  const { findings, footprints } = inspectFiles(config);
  const sizes = [...footprints.values()];
  const { cacheBytes, prefixCacheBytes, maxRows } = config.limits;
  const cache = sizes.map(
    ({ cacheBytesPerToken: bytes, contextLength }) =>
      Math.min(cacheBytes, bytes * contextLength * maxRows) + prefixCacheBytes,
  );
  const missing = sizes.filter(({ isConverted }) => !isConverted).map(({ weightBytes }) => weightBytes);
  tell(checkMemory({ weightBytes: sum(sizes.map(({ weightBytes }) => weightBytes)), cacheBytes: sum(cache) }));
  tell(await checkArtifacts(config.artifactDirectory, sum(missing)));
  tell(...findings);
  for (const [model, footprint] of footprints) {
    if (findings.some(({ name }) => name === `model ${model.name}`)) continue;
    // Loaded on the processor it would say nothing of the device.
    tell(
      load && model.device === 'cpu' ? await tryModel(model, footprint, config, progress) : untried(model, footprint),
    );
  }
  if (findings.length === 0) tell(await checkDeployments(config));
  tell(await checkPort(config.server.host, config.server.port));
}

const sum = (values: readonly number[]): number => values.reduce((total, value) => total + value, 0);
const plural = (count: number, noun: string): string => `${count} ${noun}${count === 1 ? '' : 's'}`;

function line({ name, status, text, remedy }: Finding, style: Style): string {
  const marks: Readonly<Record<Status, string>> = {
    ok: style.green('ok  '),
    note: style.dim('note'),
    warn: style.yellow('warn'),
    fail: style.red('FAIL'),
  };
  const advice = remedy === null ? '' : `\n      ${style.bold('→')} ${remedy}`;
  return `${marks[status]}  ${name}: ${text.replaceAll('\n', ' ')}${advice}`;
}
