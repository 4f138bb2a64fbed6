// trimtab serve: starts the server, says where it is and how to ask it, and drains it on SIGTERM or SIGINT.
import { resolve } from 'node:path';
import { configFileName, packageDirectory, type Config } from '../config.js';
import type { LoadedModelInfo } from '../engine/messages.js';
import { AppError } from '../errors.js';
import { startServer, type RunningServer } from '../main.js';
import { startTelemetry } from '../telemetry/start.js';
import { version } from '../version.js';
import { exitCodes, reportFailure } from './failure.js';
import { Progress } from './progress.js';
import { onHangup, onSignals } from './signals.js';
import { siCount, styleFor, table, type Output } from './terminal.js';

/** Beyond the drain deadline: time for threads to end before the process is ended anyway. */
const EXIT_GRACE_MS = 5000;

/** `load` reads the configuration: now, and again whenever it is to be taken anew. */
export async function serveCommand(
  load: () => Config,
  stdout: Output,
  stderr: Output,
  verbose: boolean,
): Promise<void> {
  const config = load();
  const started = performance.now();
  const progress = new Progress(stderr);
  const telemetry = await startTelemetry(config.telemetry);
  let isStopping = false;
  const starting = startServer(config, {
    onProgress: (model, stage, fraction) => progress.report(`${model}: ${stage}`, fraction),
    reread: load,
  });
  const forgetSignals = onSignals({
    deadlineMs: config.limits.drainTimeoutMs + EXIT_GRACE_MS,
    output: stderr,
    async drain(signal, error) {
      isStopping = true;
      progress.clear();
      if (error) reportFailure(error, stderr, verbose);
      else stderr.write(`${signal ?? 'stopping'}: finishing what runs, taking nothing new\n`);
      // One that did not start has closed what it had opened, and has said why.
      const server = await starting.catch(() => null);
      await server?.close();
      await telemetry?.shutdown();
    },
  });
  onHangup(async () => {
    const server = await starting;
    const told = await server.reload().catch((error: unknown) => (error as Error).message);
    progress.clear();
    stderr.write(`SIGHUP: ${told}\n`);
  });
  const server = await starting.catch((error: unknown) => {
    forgetSignals();
    throw error;
  });
  // Whoever ends it needs neither address nor models.
  if (isStopping) return;
  const style = styleFor(stdout);
  stdout.write(`${style.bold('trimtab')} ${version} on ${style.cyan(server.url)}\n`);
  if (config.auth.keys.length === 0 && !isLoopback(config.server.host)) stderr.write(openWarning(config.server.host));
  const giveUp = async (error: unknown): Promise<void> => {
    if (isStopping) return;
    progress.clear();
    reportFailure(error, stderr, verbose);
    await server.close();
    process.exit(exitCodes.failed);
  };
  try {
    const models = await server.ready;
    progress.clear();
    stdout.write(greeting(config, server, models, performance.now() - started, stdout));
  } catch (error) {
    return giveUp(error);
  }
  // A supervisor restarts a process that ended; one that only answers 503 is left alone.
  void server.failed.then(() => giveUp(new AppError('engine_failed', { reason: 'its thread ended' })));
}

function greeting(
  config: Config,
  { url, catalog }: RunningServer,
  models: readonly LoadedModelInfo[],
  tookMs: number,
  stdout: Output,
): string {
  const style = styleFor(stdout);
  const deployments = catalog.list().filter(({ kind }) => kind === 'deployment');
  const placeOf = (name: string, device: LoadedModelInfo['device']): string => {
    if (device === 'webgpu') return ', on the GPU';
    const isAuto = config.models.some((model) => model.name === name && model.device === 'auto');
    return isAuto ? ', on the CPU: no GPU adapter was found' : '';
  };
  const rows: [string, string][] = [
    ...models.map(({ name, family, parameters, weights, kind, device }): [string, string] => [
      `  ${name}`,
      `${family}, ${siCount(parameters)} parameters, ${weights}${kind === 'reward' ? ', reward' : ''}${placeOf(name, device)}`,
    ]),
    ...deployments.map(({ id }): [string, string] => [`  ${id}`, `= ${catalog.resolve(id).formula ?? ''}`]),
  ];
  const asked = deployments[0]?.id ?? catalog.list()[0]?.id ?? '';
  const isGuarded = config.auth.keys.length > 0;
  const body = JSON.stringify({
    model: asked,
    stream: true,
    temperature: 0,
    messages: [{ role: 'user', content: sampleQuestion(config) }],
  });
  return [
    style.green(`ready in ${(tookMs / 1000).toFixed(1)} s`),
    table(rows),
    '',
    'Ask it:',
    `  curl -N ${url}/v1/chat/completions -H 'content-type: application/json' \\`,
    ...(isGuarded ? [`    -H "authorization: Bearer $KEY" \\`] : []),
    `    -d '${body.replaceAll("'", String.raw`'\''`)}'`,
    '',
    `Playground: ${url}/`,
    `OpenAI clients: base URL ${url}/v1, ${isGuarded ? 'one of the API keys' : 'any API key'}. Metrics: ${url}/metrics`,
    '',
  ].join('\n');
}

const isLoopback = (host: string): boolean => /^(localhost|127(\.\d{1,3}){3}|::1|\[::1\])$/.test(host);

const openWarning = (host: string): string =>
  `Anybody who reaches ${host} may use this server: no API key is configured. Set TRIMTAB_API_KEYS, auth.keyFile or auth.keys,\n` +
  'or listen on 127.0.0.1 (docs/http.md, Authentication).\n';

/** The pocket models know one small town only. */
const sampleQuestion = ({ file }: Config): string =>
  file === resolve(packageDirectory(), configFileName)
    ? 'Can you tell me what Tar Alley smells of?'
    : 'Hello! Who are you?';
