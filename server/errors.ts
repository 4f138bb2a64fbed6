// The one table of errors. Every error that a user or an operator can meet is a row here: a stable code (never re-used), an HTTP
// status, the OpenAI error type, and a message that names the offending value and the remedy. Thrown anywhere as AppError;
// rendered by the HTTP layer, the CLI and the engine thread (which sends it as data).

type Details = Readonly<Record<string, string | number | boolean | null | undefined>>;

interface Row {
  readonly status: number;
  readonly type:
    'invalid_request_error' | 'not_found_error' | 'rate_limit_error' | 'server_error' | 'configuration_error';
  /** `{name}` is replaced by the detail of that name. */
  readonly message: string;
}

const of =
  (type: Row['type']) =>
  (status: number, message: string): Row => ({ status, type, message });

const invalid = of('invalid_request_error');
const missing = (message: string): Row => of('not_found_error')(404, message);
const limited = (message: string): Row => of('rate_limit_error')(429, message);
const failed = of('server_error');
const misconfigured = of('configuration_error');

export const errorTable = {
  // ---- requests
  invalid_json: invalid(
    400,
    'The body is not valid JSON: {reason}. Send one JSON object with content-type application/json.',
  ),
  invalid_value: invalid(400, '{param}: {problem} (got {value}). {remedy}'),
  unknown_key: invalid(400, 'Unknown key {key} in {where}.{nearest} Known keys: {known}.'),
  model_not_found: missing('The model {model} does not exist here. Available: {available}.'),
  model_not_loaded: missing(
    'The model {model} is not loaded here at present. Use another one, or have the operator load it: POST /v1/admin/models/{model}/load.',
  ),
  response_not_found: missing(
    'The response {id} is not here: responses are not stored. Keep what POST /v1/responses answered.',
  ),
  context_length_exceeded: invalid(
    400,
    'The prompt has {promptTokens} tokens and {maxTokens} more were asked for, but the context of {model} holds {contextLength}. Shorten the prompt or lower max_tokens.',
  ),
  constraint_stuck: invalid(
    400,
    'No token of the vocabulary continues what the constraint demands at token {position} of the answer. Loosen the schema, or leave out stop_token_ids that it needs.',
  ),
  token_out_of_range: invalid(
    400,
    '{param}: token id {value} is outside the vocabulary of {model}, which has ids 0 to {last}.',
  ),
  budget_exceeded: invalid(
    400,
    'n × tokens = {asked} exceeds the budget of {budget} tokens per request. Lower n or max_tokens.',
  ),
  vocabulary_mismatch: invalid(
    400,
    '{first} ({firstSize} tokens) and {second} ({secondSize} tokens) do not share a vocabulary: {difference}. All members of one distribution must use the same tokenizer.',
  ),
  not_supported: invalid(400, '{param}: {value} is not supported. {remedy}'),
  route_not_found: missing('No route {method} {path}. See GET /v1/models and the README for what is served.'),
  method_not_allowed: invalid(405, '{method} is not allowed on {path}. Use {allowed}.'),
  body_too_large: invalid(413, 'The body exceeds {limit} bytes. Send a smaller one or raise limits.bodyBytes.'),
  unsupported_content_encoding: invalid(
    415,
    'The content encoding {value} is not supported. Send the body as it is, without content-encoding.',
  ),
  unsupported_media_type: invalid(
    415,
    'The content type {value} is not supported. Send JSON with content-type application/json.',
  ),
  malformed_request: invalid(400, 'The HTTP request cannot be read: {reason}.'),
  headers_too_large: invalid(431, 'The headers of the request are too large. Send fewer or shorter headers.'),
  request_timeout: invalid(
    408,
    'The request did not arrive completely within {seconds} s. Send it faster or raise limits.requestTimeoutMs.',
  ),
  reply_too_large: invalid(
    400,
    'The whole vocabulary for {tokens} tokens would be {bytes} bytes of reply and the limit is {limit}. Lower max_tokens, n or the number of prompts, or send logprobs of at most 5.',
  ),
  // ---- keys
  invalid_api_key: invalid(
    401,
    '{problem}. Send a key that the operator gave you as "Authorization: Bearer KEY" or "x-api-key: KEY"; on a websocket of a page as the subprotocol trimtab.key.<base64url of the key>.',
  ),
  missing_scope: invalid(
    403,
    'The key {name} may not do this: it lacks the scope {scope}. Ask the operator for a key that has it.',
  ),
  key_in_url: invalid(
    400,
    'The query parameter "{param}" looks like an API key. Addresses end up in logs and histories: send the key as "Authorization: Bearer KEY", and if it was a real one, have it replaced.',
  ),
  rate_limit_exceeded: limited(
    'The key {name} has made its {limit} requests of this minute. Try again in {retryAfterSeconds} s.',
  ),
  too_many_wrong_keys: limited(
    'Too many wrong API keys came from this address. Send the right one in {retryAfterSeconds} s.',
  ),
  token_quota_exceeded: limited(
    'The key {name} has used or reserved {used} of its {limit} tokens of this {unit}, and this request may need {asked} (prompt and max_tokens). Try again in {retryAfterSeconds} s, or lower max_tokens.',
  ),
  request_over_quota: invalid(
    400,
    'The request may need {asked} tokens (prompt and max_tokens), more than the {limit} that the key {name} has in a {unit}. Lower max_tokens, n or the number of prompts.',
  ),
  priority_not_allowed: invalid(
    403,
    'The key {name} may ask for priority {limit} or a higher number (lower goes first), and the request asks for {value}. Send one that it may, or have the operator lower priority of the key.',
  ),
  // ---- what an operator changes while the server runs
  admin_needs_key: invalid(
    403,
    'This server has no API keys, so nobody can show that they may change it. Give it one with the scope admin (TRIMTAB_ADMIN_KEYS) and start it again.',
  ),
  admin_busy: invalid(409, 'Another change is under way: {what}. Wait until it is answered, then try again.'),
  reload_refused: invalid(400, 'The configuration was not taken, the one before stays in force: {reason}'),
  model_load_failed: invalid(409, 'The model {model} was not loaded, what was served before is served on: {reason}'),
  // ---- websockets
  upgrade_required: invalid(
    426,
    '{path} is a websocket. Connect with a websocket client; docs/websocket.md has the messages.',
  ),
  origin_not_allowed: invalid(
    403,
    'Pages of {origin} may not open a websocket here. Have the operator add it to cors.origins or websocket.origins.',
  ),
  invalid_frame: invalid(
    400,
    'The message cannot be acted on: {reason}. Send one JSON object per text frame, as in docs/websocket.md.',
  ),
  duplicate_id: invalid(
    409,
    'A decode with the id {id} is running on this connection. Choose another id, or wait until it has ended.',
  ),
  decode_not_found: missing(
    'No decode with the id {id} is running on this connection: it was never started, or it has ended.',
  ),
  too_many_decodes: limited(
    '{limit} decodes are running on this connection, which is the limit. Wait until one of them has ended.',
  ),
  not_changeable: invalid(
    400,
    'The decode cannot be changed like this: {reason}. It goes on as it was; start another one instead.',
  ),
  paused_too_long: failed(
    408,
    'No credit came for {seconds} s, so the decode was ended. Grant it sooner or raise websocket.pauseMs.',
  ),
  // ---- capacity
  not_ready: failed(
    503,
    'The models are still being loaded. Try again in {retryAfterSeconds} s; GET /ready answers 200 when they are.',
  ),
  queue_full: failed(503, '{waiting} requests are waiting, the limit is {limit}. Try again in {retryAfterSeconds} s.'),
  overloaded: failed(
    503,
    'The server is busy: this request (price {price}, rows × tokens) would wait {estimatedMs} ms for the {running} requests that run and the {waiting} that wait before it (price {work}); the limit is {limitMs} ms (limits.{limit}). Try again in {retryAfterSeconds} s, or at another replica.',
  ),
  cache_too_small: invalid(
    400,
    'The request needs {needed} bytes of cache for {model} and the budget is {budget}. Shorten it or raise limits.cacheBytes.',
  ),
  draining: failed(503, 'The server is shutting down and takes no new requests. Try another replica.'),
  engine_replaced: failed(
    503,
    'The operator changed the models while this request ran, and it did not end within {seconds} s. Send it again.',
  ),
  slow_reader: failed(
    408,
    'The client read nothing for {seconds} s, so the stream was cut. Read faster or raise limits.writeTimeoutMs.',
  ),
  device_lost: failed(
    503,
    'The GPU was lost while decoding: {reason}. The engine starts anew. Try again in {retryAfterSeconds} s; if it happens again, look at the driver, or set "device": "cpu".',
  ),
  device_full: failed(
    503,
    'The GPU ran out of memory while decoding: {reason}. The engine starts anew. Try again in {retryAfterSeconds} s; if it happens again, lower limits.cacheBytes or limits.maxRows, or use "weights": "q4".',
  ),
  device_failed: failed(
    503,
    'Decoding on the GPU failed: {reason}. The engine starts anew. Try again in {retryAfterSeconds} s; if the same request fails again, report it, or set "device": "cpu".',
  ),
  cancelled: failed(499, 'The request was cancelled.'),
  // ---- engine
  nan_logits: failed(
    500,
    'The model {model} produced no finite logits at position {position}. Its weights or its quantisation are damaged: check it with trimtab logits.',
  ),
  float16_overflow: failed(
    500,
    'The model {model} produced no finite logits at position {position}: with the weights {weights} it computes in float16, whose numbers end at 65504, and some number inside it was larger. Use "weights": "{instead}" for it.',
  ),
  scorer_failed: failed(
    502,
    'A scorer failed: {reason}. Try again, use another scorer, or have the operator set search.onScorerFailure to "plain".',
  ),
  internal_error: failed(
    500,
    'The server failed on this request; the cause is in its log under request id {requestId}.',
  ),
  engine_failed: failed(500, 'The engine failed: {reason}. The request was not completed.'),
  // ---- models and configuration
  model_file_missing: misconfigured(500, '{path} is missing. {remedy}'),
  model_file_invalid: misconfigured(500, '{path}: {problem}. {remedy}'),
  model_family_unknown: misconfigured(500, '{path}: model_type {value} is not supported. Supported: {known}.'),
  device_missing: misconfigured(
    500,
    'No GPU adapter was found: {reason}. Install a Vulkan driver and its loader (libvulkan.so.1), or set "device": "cpu". docs/gpu.md has the ways.',
  ),
  device_memory: misconfigured(
    500,
    'The GPU has no room for {model}: {reason}. Use "weights": "q4", lower limits.cacheBytes or limits.maxRows, or set "device": "cpu".',
  ),
  device_operator: misconfigured(
    500,
    'The GPU provider lacks an operator that {model} needs: {reason}. Set "device": "cpu" for it.',
  ),
  device_weights: misconfigured(
    500,
    '{model}: the GPU multiplies no weights of the format {weights}. Use f32, q8 or q4, or set "device": "cpu".',
  ),
  device_float16: misconfigured(
    500,
    '{model}: weights of the format {weights} compute in float16, and {problem}. {remedy}',
  ),
  device_pictures: misconfigured(
    500,
    '{model} sees pictures, and models that do run on the CPU only. Set "device": "cpu" for it.',
  ),
  device_mismatch: invalid(
    400,
    '{first} is on {firstDevice} and {second} on {secondDevice}: models of one distribution share a device, or every token would cross the bus. Give both the same "device" in the configuration.',
  ),
  artifact_not_written: misconfigured(500, 'The converted model cannot be kept in {path}: {reason}. {remedy}'),
  weights_not_finite: misconfigured(
    500,
    '{path}: tensor {tensor} holds {value} at element {index}. The checkpoint is damaged: download it again.',
  ),
  config_invalid: misconfigured(500, '{path}: {key}: {problem} (got {value}). {remedy}'),
  config_unknown_key: misconfigured(500, '{path}: unknown key {key}.{nearest} Known keys here: {known}.'),
  config_missing: misconfigured(500, 'The configuration {path} cannot be read: {reason}. Create it or give --config.'),
  telemetry_unavailable: misconfigured(
    500,
    'Traces are to be sent (telemetry.endpoint or OTEL_EXPORTER_OTLP_ENDPOINT), but the OpenTelemetry SDK is not installed. Run npm install {packages}, or unset it.',
  ),
  server_refused: misconfigured(502, '{url} answered: {reason}'),
  server_unreachable: misconfigured(
    502,
    '{url}: {reason} Start a server with trimtab serve, or give the address of one with --url.',
  ),
  cannot_listen: misconfigured(
    500,
    'Cannot listen on {address}: {reason}. Choose another with --port and --host, or in the configuration.',
  ),
} satisfies Record<string, Row>;

export type ErrorCode = keyof typeof errorTable;

/** An error as plain data: what crosses the thread border and what the wire shows. */
export interface ErrorData {
  readonly code: ErrorCode;
  readonly message: string;
  readonly status: number;
  readonly type: Row['type'];
  readonly param: string | null;
  /** Seconds after which a retry is worthwhile; only on 429 and 503. */
  readonly retryAfterSeconds?: number;
}

/** Without an Error around it, whose stack takes longer than the decision that refuses a request. */
export function errorData(code: ErrorCode, details: Details): ErrorData {
  const row: Row = errorTable[code];
  const retryAfterSeconds = details['retryAfterSeconds'];
  return {
    code,
    message: row.message.replace(/\{(\w+)\}/g, (_, key: string) => String(details[key] ?? '')),
    status: row.status,
    type: row.type,
    param: typeof details['param'] === 'string' ? details['param'] : null,
    ...(typeof retryAfterSeconds === 'number' ? { retryAfterSeconds } : {}),
  };
}

export class AppError extends Error {
  override readonly name = 'AppError';
  readonly data: ErrorData;

  constructor(code: ErrorCode, details: Details, options: { cause?: unknown } = {}) {
    const data = errorData(code, details);
    super(data.message, options);
    this.data = data;
  }

  static fromData(data: ErrorData): AppError {
    const error = Object.create(AppError.prototype) as AppError;
    return Object.assign(error, { data, message: data.message, name: 'AppError' });
  }
}
