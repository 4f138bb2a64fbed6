// The declaration of trimtab.config.json: one typebox schema gives the type, the check, the defaults, the published JSON Schema
// (docs/config.schema.json) and the reference page (docs/config.md). Every key says what it is, with its unit. A section is a file of schema/
// and a line here.
import { Type, type Static } from 'typebox';
import { Auth } from './schema/auth.js';
import { closed } from './schema/common.js';
import { DeploymentEntry } from './schema/deployments.js';
import { Images } from './schema/images.js';
import { Limits } from './schema/limits.js';
import { ModelEntry } from './schema/models.js';
import { Runtime } from './schema/runtime.js';
import { EndpointEntry, SearchSettings } from './schema/searches.js';
import { Cors, Server } from './schema/server.js';
import { Telemetry } from './schema/telemetry.js';
import { Websocket } from './schema/websocket.js';

export const ConfigFile = Type.Object(
  {
    $schema: Type.Optional(
      Type.String({ description: 'Address of the JSON Schema, for editors. Not read by the server.' }),
    ),
    models: Type.Record(Type.String(), ModelEntry, { description: 'Models by the name that clients use.' }),
    deployments: Type.Record(Type.String(), DeploymentEntry, {
      default: {},
      description: 'Decoding methods by the name that clients use as model.',
    }),
    scorers: Type.Record(Type.String(), Type.Record(Type.String(), Type.Unknown()), {
      default: {},
      description:
        'Scorers by the name that a spec may use where a scorer is expected: objects with "kind", as in requests.',
    }),
    endpoints: Type.Record(Type.String(), EndpointEntry, {
      default: {},
      description: 'Scoring services by the name that the scorer http uses.',
    }),
    search: SearchSettings,
    server: Server,
    limits: Limits,
    images: Images,
    cors: Cors,
    websocket: Websocket,
    auth: Auth,
    telemetry: Telemetry,
    runtime: Runtime,
    artifactDirectory: Type.String({
      default: '.cache/artifacts',
      minLength: 1,
      description:
        'Where converted models are kept. Relative to the config file. The variable TRIMTAB_ARTIFACTS overrides it.',
    }),
    allowNegativeWeights: Type.Boolean({
      default: false,
      description: 'Whether a request may use negative weights, which steer away from a tuned model.',
    }),
  },
  { ...closed, title: 'trimtab.config.json' },
);

export type ConfigFile = Static<typeof ConfigFile>;
