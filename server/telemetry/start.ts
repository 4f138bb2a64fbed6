// Turns tracing on where the operator has asked for it: the OpenTelemetry SDK is loaded here and nowhere else, and only then. Everything else
// speaks to @opentelemetry/api, which does nothing until this has run. Called by trimtab serve.
import type * as otlpModule from '@opentelemetry/exporter-trace-otlp-http';
import type * as resourcesModule from '@opentelemetry/resources';
import type * as sdkModule from '@opentelemetry/sdk-trace-node';
import type { TelemetrySettings } from '../config/schema/telemetry.js';
import { AppError } from '../errors.js';
import { version } from '../version.js';

export interface Telemetry {
  /** Sends what is left. Never throws: nothing depends on it. */
  shutdown(): Promise<void>;
}

/** A collector that does not answer must not hold the process. */
const lastExportMs = 2000;

interface Sdk {
  readonly sdk: typeof sdkModule;
  readonly otlp: typeof otlpModule;
  readonly resources: typeof resourcesModule;
}

const packages = '@opentelemetry/sdk-trace-node @opentelemetry/exporter-trace-otlp-http';

/** The address of a collector is the base of the OTLP paths, as in OTEL_EXPORTER_OTLP_ENDPOINT. */
export const tracesUrl = (endpoint: string): string => `${endpoint.replace(/\/+$/, '')}/v1/traces`;

/** Null where no endpoint is configured. */
export async function startTelemetry(
  settings: TelemetrySettings,
  load: () => Promise<Sdk> = importSdk,
): Promise<Telemetry | null> {
  const { endpoint, headers, serviceName, sampleRatio } = settings;
  if (endpoint === null) return null;
  const { sdk, otlp, resources } = await load().catch(explained);
  const { NodeTracerProvider, BatchSpanProcessor, ParentBasedSampler, TraceIdRatioBasedSampler } = sdk;
  const exporter = new otlp.OTLPTraceExporter({ url: tracesUrl(endpoint), headers: { ...headers } });
  const provider = new NodeTracerProvider({
    resource: resources.resourceFromAttributes({ 'service.name': serviceName, 'service.version': version }),
    sampler: new ParentBasedSampler({ root: new TraceIdRatioBasedSampler(sampleRatio) }),
    spanProcessors: [new BatchSpanProcessor(exporter)],
  });
  provider.register();
  return {
    async shutdown() {
      const sent = provider.shutdown().catch(() => undefined);
      await Promise.race([sent, new Promise((resolve) => setTimeout(resolve, lastExportMs).unref())]);
    },
  };
}

async function importSdk(): Promise<Sdk> {
  const [sdk, otlp, resources] = await Promise.all([
    import('@opentelemetry/sdk-trace-node'),
    import('@opentelemetry/exporter-trace-otlp-http'),
    import('@opentelemetry/resources'),
  ]);
  return { sdk, otlp, resources };
}

function explained(error: unknown): never {
  if ((error as NodeJS.ErrnoException).code !== 'ERR_MODULE_NOT_FOUND') throw error;
  throw new AppError('telemetry_unavailable', { packages }, { cause: error });
}
