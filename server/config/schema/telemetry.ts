// The section `telemetry`: where traces are sent, under which name, and how many of them.
import { Type, type Static } from 'typebox';
import { closed } from './common.js';

export const Telemetry = Type.Object(
  {
    endpoint: Type.Union([Type.Null(), Type.String({ pattern: '^https?://' })], {
      default: null,
      description:
        'Base address of an OpenTelemetry collector that takes OTLP over HTTP, e.g. "http://127.0.0.1:4318". The variable OTEL_EXPORTER_OTLP_ENDPOINT overrides it. null: no traces.',
    }),
    headers: Type.Record(Type.String(), Type.String(), {
      default: {},
      description: 'Sent with every export, e.g. an authorization.',
    }),
    serviceName: Type.String({
      default: 'trimtab',
      minLength: 1,
      description: 'Name of this service in traces. The variable OTEL_SERVICE_NAME overrides it.',
    }),
    sampleRatio: Type.Number({
      default: 1,
      minimum: 0,
      maximum: 1,
      description:
        'Part of the traces that begin here that is recorded; a caller with traceparent decides for its own.',
    }),
  },
  { ...closed, default: {}, description: 'Traces. They hold no prompt and no answer.' },
);

export type TelemetrySettings = Static<typeof Telemetry>;
