// The declaration of trimtab.config.json: one typebox schema gives the type, the check, the defaults, the published JSON Schema
// (docs/config.schema.json) and the reference page (docs/config.md). Every key says what it is, with its unit.
import { Type, type Static } from 'typebox';

const closed = { additionalProperties: false } as const;

const seconds = 1000;
const mebibyte = 1024 * 1024;

const DirectionCard = Type.Object(
  {
    template: Type.String({
      minLength: 1,
      description:
        'The system turn of training, byte for byte, with {axis} where the whole number 100 × component of an axis stands.',
    }),
    axes: Type.Array(Type.String({ pattern: '^[A-Za-z][A-Za-z0-9_]{0,63}$' }), {
      minItems: 1,
      maxItems: 16,
      uniqueItems: true,
      description: 'Names of the objectives, in the order of the components of a direction.',
    }),
  },
  {
    ...closed,
    description: 'Only for a model that was trained to be told a preference direction: how. Used by the method dpa.',
  },
);

const RewardCard = Type.Object(
  {
    statistics: Type.Record(
      Type.String(),
      Type.Object(
        {
          mean: Type.Number({ description: 'Mean of the score over calibration answers.' }),
          deviation: Type.Number({ exclusiveMinimum: 0, description: 'Its standard deviation.' }),
        },
        { ...closed, description: 'One score.' },
      ),
      {
        description:
          "By the name of a score (config.json's id2label): how it is spread, so that several can be weighed.",
      },
    ),
  },
  { ...closed, description: 'Only for a reward model: what is known of its scores. Used by the scorer direction.' },
);

const EmbeddingEntry = Type.Object(
  {
    pooling: Type.Enum(['mean', 'last'], {
      default: 'mean',
      description: 'Which of its hidden states become the vector: the mean over all tokens, or the last token alone.',
    }),
    normalise: Type.Boolean({ default: true, description: 'Whether vectors are scaled to length 1.' }),
  },
  {
    ...closed,
    default: {},
    description: 'How POST /v1/embeddings makes vectors of this model. Set it as the model was trained.',
  },
);

const EndpointEntry = Type.Object(
  {
    url: Type.String({
      pattern: '^https?://',
      description:
        'Where answers are scored: POST {"messages", "answer"}, answered by {"score": number} or {"scores": [numbers]}.',
    }),
    timeoutMs: Type.Integer({ default: 5000, minimum: 1, description: 'Longest time for one answer (ms).' }),
    headers: Type.Record(Type.String(), Type.String(), {
      default: {},
      description: 'Sent with every request, e.g. an authorization.',
    }),
  },
  { ...closed, description: 'One scoring service.' },
);

const SearchSettings = Type.Object(
  {
    onScorerFailure: Type.Enum(['fail', 'plain'], {
      default: 'fail',
      description:
        'When a scorer gives no number or answers too late: fail ends the request with an error; plain decodes the rest of the answer without the search, and the reply says so.',
    }),
    maxBranches: Type.Integer({
      default: 64,
      minimum: 1,
      maximum: 4096,
      description: 'Branches of one distribution that a search may keep at once (branches).',
    }),
  },
  { ...closed, default: {}, description: 'Methods that look ahead, judge and go back.' },
);

const ModelEntry = Type.Object(
  {
    path: Type.String({
      minLength: 1,
      description:
        'Folder of a Hugging Face checkpoint (config.json, *.safetensors, tokenizer.json). Relative to the config file.',
    }),
    weights: Type.Enum(['f32', 'q8', 'q4', 'w8a8', 'f16', 'q8f16', 'q4f16'], {
      default: 'f32',
      description:
        'How the weights are stored and multiplied: f32 is the reference; q8 and q4 are 8 and 4 bit blocks; w8a8 is 8 bit weights per channel with 8 bit activations per row. f16, q8f16 and q4f16 compute in 16 bits, on a GPU that can (docs/gpu.md).',
    }),
    kind: Type.Enum(['causal', 'reward'], {
      default: 'causal',
      description:
        'causal: predicts next tokens. reward: a sequence-classification head that gives scores; it cannot be served as text.',
    }),
    load: Type.Boolean({
      default: true,
      description:
        'Whether it is loaded at start. Otherwise POST /v1/admin/models/NAME/load loads it, and what needs it is served from then on.',
    }),
    device: Type.Enum(['cpu', 'webgpu', 'auto'], {
      default: 'cpu',
      description:
        'Where the model runs: cpu; webgpu is the GPU (docs/gpu.md); auto is the GPU where there is one, and the start says which it was. Models of one distribution share a device.',
    }),
    contextLength: Type.Union([Type.Null(), Type.Integer({ minimum: 1 })], {
      default: null,
      description:
        "Longest sequence to serve, in tokens, prompt and answer together. null: the checkpoint's own limit.",
    }),
    dpa: Type.Optional(DirectionCard),
    reward: Type.Optional(RewardCard),
    embedding: EmbeddingEntry,
  },
  { ...closed, description: 'One model.' },
);

const Defaults = Type.Object(
  {
    temperature: Type.Optional(
      Type.Number({ minimum: 0, maximum: 2, description: 'Softmax temperature; 0 is greedy.' }),
    ),
    top_p: Type.Optional(
      Type.Number({ exclusiveMinimum: 0, maximum: 1, description: 'Probability mass that is kept; 1 is off.' }),
    ),
    top_k: Type.Optional(Type.Integer({ minimum: 0, description: 'Number of tokens that are kept; 0 is off.' })),
    min_p: Type.Optional(
      Type.Number({
        minimum: 0,
        maximum: 1,
        description: 'Least probability relative to the likeliest token; 0 is off.',
      }),
    ),
    max_tokens: Type.Optional(Type.Integer({ minimum: 1, description: 'Tokens to generate.' })),
    repetition_penalty: Type.Optional(
      Type.Number({
        exclusiveMinimum: 0,
        maximum: 10,
        description: 'Penalty on tokens seen in prompt or answer; 1 is off.',
      }),
    ),
  },
  {
    ...closed,
    default: {},
    description: "Sampling values for requests that leave them out, under the request's own names.",
  },
);

const DeploymentEntry = Type.Object(
  {
    decoding: Type.Record(Type.String(), Type.Unknown(), {
      description:
        'The method and its parameters, exactly as in the request field decoding, e.g. {"method": "eft", "base": "large", "tuned": "chat", "reference": "small"}.',
    }),
    defaults: Defaults,
  },
  { ...closed, description: 'One steered model: clients select it by its name in the field model.' },
);

const Limits = Type.Object(
  {
    maxRows: Type.Integer({
      default: 64,
      minimum: 1,
      maximum: 4096,
      description: 'Sequences that decode together, per model (rows).',
    }),
    maxWaiting: Type.Integer({
      default: 256,
      minimum: 0,
      description: 'Requests that may wait for a row; further ones get 503 with retry-after (requests).',
    }),
    stepMs: Type.Union([Type.Null(), Type.Number({ exclusiveMinimum: 0 })], {
      default: 100,
      description:
        'Longest step of everything that runs, as learnt from what ran (ms): the time between two tokens of an answer. Requests beyond it wait rather than slow the others down; one may always run, and company that keeps its step below three of its own too. null: any.',
    }),
    waitMs: Type.Union([Type.Null(), Type.Number({ minimum: 0 })], {
      default: 5000,
      description:
        'Longest estimated wait for room (ms); what would wait longer gets 503 with retry-after at once. A request whose own first token takes longer than this may wait as long as that. null: any.',
    }),
    firstTokenMs: Type.Union([Type.Null(), Type.Number({ minimum: 0 })], {
      default: 20_000,
      description:
        "Longest time that others' prompts and the wait for room may add to a request's first token, as estimated (ms); the rest as with waitMs. null: any.",
    }),
    tokensPerTick: Type.Integer({
      default: 2048,
      minimum: 1,
      description:
        'New tokens computed per model in one step over all rows (tokens): bounds the time that a decode step or an abort waits for prompts.',
    }),
    tokensPerRequest: Type.Integer({
      default: 65536,
      minimum: 1,
      description: 'Budget of one request: prompts × n × max_tokens (tokens).',
    }),
    traceTokens: Type.Integer({
      default: 1024,
      minimum: 0,
      description:
        'Tokens of each choice that "decoding_trace" tells of; the rest of a longer answer is not traced (tokens).',
    }),
    maxPrompts: Type.Integer({
      default: 128,
      minimum: 1,
      description: 'Prompts of one completions request (prompts).',
    }),
    maxN: Type.Integer({ default: 64, minimum: 1, description: 'Largest n of one request (choices).' }),
    cacheBytes: Type.Integer({
      default: 1024 * mebibyte,
      minimum: 1,
      description: 'Key/value cache per model (bytes). Requests that do not fit wait.',
    }),
    prefixCacheBytes: Type.Integer({
      default: 256 * mebibyte,
      minimum: 0,
      description: 'Finished prompts that are kept for re-use, per model (bytes). 0 is off.',
    }),
    bodyBytes: Type.Integer({ default: 4 * mebibyte, minimum: 1024, description: 'Largest request body (bytes).' }),
    requestTimeoutMs: Type.Integer({
      default: 30 * seconds,
      minimum: 0,
      description: 'Time in which a request must have arrived whole (ms). 0 is off.',
    }),
    connectionTimeoutMs: Type.Integer({
      default: 3600 * seconds,
      minimum: 0,
      description:
        'A connection without any traffic is closed after this (ms); it must exceed the longest answer that is not streamed. 0 is off.',
    }),
    keepAliveTimeoutMs: Type.Integer({
      default: 72 * seconds,
      minimum: 0,
      description: 'How long a connection stays open between requests (ms).',
    }),
    writeTimeoutMs: Type.Integer({
      default: 30 * seconds,
      minimum: 1,
      description: 'A reader that takes nothing for this long is cut and its rows are freed (ms).',
    }),
    pingMs: Type.Integer({
      default: 15 * seconds,
      minimum: 10,
      description: 'Silence after which a comment line keeps a stream open (ms).',
    }),
    textTimeoutMs: Type.Integer({
      default: 5 * seconds,
      minimum: 10,
      description: 'Longest time for tokenising or rendering the chat template of one prompt (ms).',
    }),
    drainTimeoutMs: Type.Integer({
      default: 30 * seconds,
      minimum: 0,
      description: 'After SIGTERM or SIGINT, time for running requests to finish (ms).',
    }),
  },
  { ...closed, default: {}, description: 'Bounds that protect the process.' },
);

const Images = Type.Object(
  {
    maxPerRequest: Type.Integer({
      default: 8,
      minimum: 0,
      maximum: 256,
      description: 'Images of one request (images).',
    }),
    maxBytes: Type.Integer({
      default: 10 * mebibyte,
      minimum: 1024,
      description: 'Largest image, as a file (bytes). A data: URI is bounded by limits.bodyBytes too.',
    }),
    maxPixels: Type.Integer({
      default: 4096 * 4096,
      minimum: 1,
      description: 'Largest image, width × height (pixels); checked before anything is decoded.',
    }),
    hosts: Type.Array(Type.String({ minLength: 1 }), {
      default: [],
      maxItems: 256,
      description:
        'Hosts from which http(s) addresses of images are fetched, e.g. "images.example.org" or "*.example.org". None: images come as data: URIs only. Addresses that are not public are never fetched.',
    }),
    timeoutMs: Type.Integer({
      default: 5 * seconds,
      minimum: 10,
      description: 'Longest time for fetching one image, redirects included (ms).',
    }),
    cacheBytes: Type.Integer({
      default: 64 * mebibyte,
      minimum: 0,
      description: 'What was computed of images, kept for re-use, per model (bytes).',
    }),
  },
  { ...closed, default: {}, description: 'Images of requests, for models that read them.' },
);

const Cors = Type.Object(
  {
    origins: Type.Array(Type.String({ pattern: '^https?://[^/*?#\\s]+$' }), {
      default: [],
      maxItems: 256,
      description:
        'Origins such as "https://chat.example.org" whose pages may use the server from their visitors\' browsers, over HTTP and websockets; letter for letter, no patterns.',
    }),
  },
  { ...closed, default: {}, description: 'Pages of other origins.' },
);

const Websocket = Type.Object(
  {
    origins: Type.Array(Type.String({ minLength: 1 }), {
      default: [],
      maxItems: 256,
      description:
        'Pages that may open a websocket, by origin such as "https://chat.example.org"; "*" allows all. Programs, which send no Origin, and pages of this server itself always may.',
    }),
    connections: Type.Integer({
      default: 1024,
      minimum: 0,
      description: 'Open websockets; further ones are closed with 1013 (connections).',
    }),
    decodes: Type.Integer({
      default: 64,
      minimum: 1,
      description: 'Decodes that may run on one websocket (requests).',
    }),
    messageBytes: Type.Integer({
      default: 4 * mebibyte,
      minimum: 1024,
      description: 'Largest message of a client; a larger one closes the websocket with 1009 (bytes).',
    }),
    messagesPerSecond: Type.Number({
      default: 100,
      minimum: 1,
      description:
        'Messages that one client may send, on average, with a burst of twice as many; more close the websocket with 1008 (messages per second).',
    }),
    queueBytes: Type.Integer({
      default: mebibyte,
      minimum: 1024,
      description: 'What may wait for a slow reader before its decodes stand still (bytes).',
    }),
    idleMs: Type.Integer({
      default: 60 * seconds,
      minimum: 100,
      description:
        'A websocket from which nothing has come for this long, not even an answer to a ping, is closed with 1001 (ms).',
    }),
    pauseMs: Type.Integer({
      default: 300 * seconds,
      minimum: 10,
      description: 'Longest time that a decode may wait for credit; it keeps its rows meanwhile (ms).',
    }),
  },
  { ...closed, default: {}, description: 'Websockets.' },
);

const Server = Type.Object(
  {
    host: Type.String({
      default: '127.0.0.1',
      minLength: 1,
      description: 'Address to listen on; 0.0.0.0 for all. --host overrides it.',
    }),
    port: Type.Integer({
      default: 8000,
      minimum: 0,
      maximum: 65535,
      description: 'TCP port; 0 takes a free one. PORT and --port override it.',
    }),
    logLevel: Type.Enum(['silent', 'error', 'warn', 'info', 'debug'], {
      default: 'warn',
      description: 'What is logged on stderr, as JSON lines. Prompts and answers are never logged.',
    }),
    strict: Type.Boolean({
      default: false,
      description:
        'true: unknown fields of a request are errors. false: they are ignored and named in the header x-trimtab-ignored. Inside decoding they are always errors.',
    }),
  },
  { ...closed, default: {}, description: 'The HTTP server.' },
);

const KeyEntry = Type.Object(
  {
    name: Type.String({
      pattern: '^[A-Za-z0-9][A-Za-z0-9._@-]{0,63}$',
      description: 'Whose key it is, for logs: letters, digits and . _ @ -, at most 64.',
    }),
    sha256: Type.String({
      pattern: '^[0-9a-f]{64}$',
      description: 'SHA-256 of the key in hexadecimal (printf %s "$KEY" | sha256sum). The key itself is refused here.',
    }),
    scopes: Type.Array(Type.Enum(['use', 'admin']), {
      default: ['use'],
      minItems: 1,
      uniqueItems: true,
      description: 'use: everything that decodes or reads. admin: what changes the server; it does not include use.',
    }),
    expires: Type.Optional(
      Type.String({
        pattern: '^\\d{4}-\\d{2}-\\d{2}(T\\d{2}:\\d{2}(:\\d{2})?(Z|[+-]\\d{2}:\\d{2}))?$',
        description:
          'When the key ends: a day such as 2027-01-31 (its beginning, UTC) or a moment such as 2027-01-31T18:00:00Z.',
      }),
    ),
    requestsPerMinute: Type.Optional(
      Type.Integer({ minimum: 1, description: 'In place of auth.limits.requestsPerMinute (requests per minute).' }),
    ),
    tokensPerMinute: Type.Optional(
      Type.Integer({ minimum: 1, description: 'In place of auth.limits.tokensPerMinute (tokens per minute).' }),
    ),
    tokensPerDay: Type.Optional(
      Type.Integer({ minimum: 1, description: 'In place of auth.limits.tokensPerDay (tokens per day).' }),
    ),
    priority: Type.Optional(
      Type.Integer({ minimum: -1000, maximum: 0, description: 'In place of auth.limits.priority.' }),
    ),
  },
  { ...closed, description: 'One key.' },
);

/** A key file in JSON, once its keys have been hashed. */
export const KeyFile = Type.Array(KeyEntry, { description: 'a list of keys' });

const Auth = Type.Object(
  {
    keys: Type.Array(KeyEntry, {
      default: [],
      description:
        'Keys that clients may show, by their hashes. Without any key, here or elsewhere, the server is open.',
    }),
    keyFile: Type.Union([Type.Null(), Type.String({ minLength: 1 })], {
      default: null,
      description:
        'A file of keys, relative to the config file: one per line, then any of name=alice scopes=use,admin expires=2027-01-31 requestsPerMinute=60 tokensPerMinute=10000 tokensPerDay=1000000 priority=-10; # begins a comment. Or JSON: a list as auth.keys, with key in place of sha256. TRIMTAB_KEY_FILE overrides it.',
    }),
    openMetrics: Type.Boolean({
      default: false,
      description: 'Whether /metrics is answered without a key. /health, /ready and the playground always are.',
    }),
    limits: Type.Object(
      {
        requestsPerMinute: Type.Union([Type.Null(), Type.Integer({ minimum: 1 })], {
          default: null,
          description:
            'Requests of one key in a minute, and messages that begin a decode on its websockets; further ones get 429 with retry-after (requests per minute). null: any number.',
        }),
        tokensPerMinute: Type.Union([Type.Null(), Type.Integer({ minimum: 1 })], {
          default: null,
          description:
            'Tokens of one key in a minute: a request reserves its prompt and max_tokens, and gives back at its end what it did not use; further ones get 429 with retry-after (tokens per minute). null: any number.',
        }),
        tokensPerDay: Type.Union([Type.Null(), Type.Integer({ minimum: 1 })], {
          default: null,
          description: 'The same over 24 hours from the first request (tokens per day). null: any number.',
        }),
        priority: Type.Integer({
          default: 0,
          minimum: -1000,
          maximum: 0,
          description:
            'The most urgent priority that a request of one key may ask for; lower numbers go first, and asking for a lower one gets 403. Without keys anyone may ask for anything.',
        }),
        wrongKeysPerMinute: Type.Union([Type.Null(), Type.Integer({ minimum: 1 })], {
          default: 10,
          description:
            'Wrong keys from one address in a minute (of IPv6, from one /64); further ones get 429 without a verdict. Keys that were right from there before go on. null: any number (keys per minute).',
        }),
      },
      { ...closed, default: {}, description: 'What each key may use.' },
    ),
  },
  { ...closed, default: {}, description: 'Who may use the server.' },
);

const Telemetry = Type.Object(
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

const Runtime = Type.Object(
  {
    threads: Type.Union([Type.Null(), Type.Integer({ minimum: 1, maximum: 256 })], {
      default: null,
      description: 'Threads that compute. null: one per available core. --threads overrides it.',
    }),
  },
  { ...closed, default: {}, description: 'The runtime of the models.' },
);

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
export type KeyFile = Static<typeof KeyFile>;
export type KeyEntry = Static<typeof KeyEntry>;
export type TelemetrySettings = Static<typeof Telemetry>;
export type AuthSettings = Static<typeof Auth>;
export type ModelEntry = Static<typeof ModelEntry>;
export type DeploymentDefaults = Static<typeof Defaults>;
export type WeightsName = ModelEntry['weights'];

/** The names of weight formats, for help texts and checks of command-line options. */
export const weightsNames: readonly WeightsName[] = ['f32', 'q8', 'q4', 'w8a8', 'f16', 'q8f16', 'q4f16'];
