// POST /v1/completions: text or token ids, one or many, go to every view as they are.
import type { FastifyInstance } from 'fastify';
import type { AppContext, ResolvedStrategy, TextService } from '../context.js';
import { AppError } from '../errors.js';
import { CompletionReply } from '../wire/completion-reply.js';
import { CompletionRequest, wholeVocabulary } from '../wire/completions.js';
import type { LogprobsParams } from '../wire/decode.js';
import { shown } from '../wire/shown.js';
import type { Choice } from '../wire/reply.js';
import { answer, closedSignal } from './answer.js';
import { bestChoices } from './best-of.js';
import { formatConstraint } from './constraint.js';
import { decodeRequests, promptFromIds, type ReadBody } from './prepare.js';
import { searchJob } from './search-job.js';
import type { Job } from './sinks.js';
import { replyHead, v1Hooks, type RouteOptions } from './v1.js';
import { viewPrompts } from './view-prompts.js';

/** OpenAI's default length of a plain completion. */
const defaultMaxTokens = 16;

/** Bytes of reply that whole-vocabulary log-probabilities may take: they are built in memory, as one JSON text. */
const maxFullBytes = 128 * 1024 * 1024;

type Prompt = string | readonly number[];

function promptList(prompt: CompletionRequest['prompt']): readonly Prompt[] {
  if (typeof prompt === 'string') return [prompt];
  return typeof prompt[0] === 'number' ? [prompt as number[]] : (prompt as string[] | number[][]);
}

function logprobsParams({ logprobs, echo }: CompletionRequest, maxTokens: number | null): LogprobsParams | null {
  if (logprobs === undefined) {
    // Nothing to generate: the engine still reads the prompt, which is what was asked for.
    return maxTokens === 0 ? { top: 0, full: false, prompt: true } : null;
  }
  const full = logprobs === wholeVocabulary;
  return { top: full ? 0 : logprobs, full, prompt: echo ?? false };
}

function checkFullSize(tokens: number, strategy: ResolvedStrategy): void {
  const bytes = tokens * strategy.vocabSize * Float32Array.BYTES_PER_ELEMENT * (4 / 3);
  if (bytes <= maxFullBytes) return;
  throw new AppError('reply_too_large', { param: 'logprobs', tokens, bytes: Math.ceil(bytes), limit: maxFullBytes });
}

/** Scores of a prompt exist only where every view reads that prompt. */
function checkOnePrompt(strategy: ResolvedStrategy): void {
  if ([...strategy.prompts.values()].every(({ kind }) => kind === 'own')) return;
  const value = strategy.formula ?? strategy.method;
  const remedy = 'Its views read different prompts, so the prompt has no scores: leave out echo or logprobs.';
  throw new AppError('not_supported', { param: 'echo', value: `scoring the prompt with ${value}`, remedy });
}

/** What `echo` repeats: the client's own text, or what its ids spell. */
async function echoed(text: TextService, model: string, prompts: readonly Prompt[]): Promise<string[]> {
  return Promise.all(
    prompts.map(async (prompt) => (typeof prompt === 'string' ? prompt : text.decode(model, Int32Array.from(prompt)))),
  );
}

/** Choices to generate per prompt. */
function generated({ n = 1, best_of: bestOf }: CompletionRequest, isStream: boolean, maxN: number): number {
  if (bestOf === undefined) return n;
  const invalid = (problem: string, remedy: string): AppError =>
    new AppError('invalid_value', { param: 'best_of', problem, value: bestOf, remedy });
  if (bestOf < n) throw invalid(`must be at least n, which is ${n}`, 'Raise it or lower n.');
  if (bestOf > maxN) throw invalid(`must be at most ${maxN}`, 'Lower it or raise limits.maxN.');
  if (bestOf === n || !isStream) return bestOf;
  const remedy = 'The best is known only at the end: leave out stream, or send a best_of equal to n.';
  throw new AppError('not_supported', { param: 'best_of', value: `${bestOf} in a stream`, remedy });
}

/** Everything that can be refused is refused here, before anything is computed. */
export async function readCompletion(body: CompletionRequest, context: AppContext, isStream = true): Promise<ReadBody> {
  const { config, text } = context;
  const strategy = context.catalog.resolve(body.model, body.decoding);
  const prompts = promptList(body.prompt);
  if (prompts.length > config.maxPrompts) {
    const problem = `must have at most ${config.maxPrompts} entries`;
    const remedy = 'Send several requests.';
    throw new AppError('invalid_value', { param: 'prompt', problem, value: prompts.length, remedy });
  }
  const asked = body.max_tokens ?? null;
  if (asked === 0 && body.echo !== true) {
    const problem = 'may be 0 only with "echo": true';
    throw new AppError('invalid_value', {
      param: 'max_tokens',
      problem,
      value: shown(asked),
      remedy: 'Send at least 1.',
    });
  }
  const addSpecialTokens = body.add_special_tokens ?? true;
  const ids = await Promise.all(
    prompts.map(async (prompt) =>
      typeof prompt === 'string'
        ? text.encode(strategy.tokenizerModel, prompt, { addSpecialTokens })
        : promptFromIds(prompt, strategy),
    ),
  );
  const owns = ids.map((own) => ({ kind: 'ids', ids: own }) as const);
  const views = await Promise.all(owns.map((own) => viewPrompts(text, strategy, own)));
  const searches = await Promise.all(owns.map((own) => searchJob(context, strategy, own)));
  const n = generated(body, isStream, config.maxN);
  // Choices are ranked by them.
  const ranking: LogprobsParams | null = n > (body.n ?? 1) ? { top: 0, full: false, prompt: false } : null;
  const logprobs = logprobsParams(body, asked) ?? ranking;
  if (logprobs?.prompt === true) checkOnePrompt(strategy);
  const head = replyHead('cmpl-', body, strategy, context);
  const requests = decodeRequests({
    id: head.id,
    body: { ...body, n },
    strategy,
    prompts: views,
    searches,
    length: { asked, fallback: defaultMaxTokens, param: 'prompt' },
    logprobs,
    constraint: await formatConstraint(context, body.response_format),
    config,
  });
  if (logprobs?.full === true) {
    checkFullSize(
      requests.reduce((sum, { n, maxTokens }) => sum + n * maxTokens, 0),
      strategy,
    );
  }
  const echo = body.echo === true ? await echoed(text, strategy.tokenizerModel, prompts) : null;
  return { head, strategy, requests, logprobs, tokenIds: body.return_token_ids ?? false, promptIds: ids, echo };
}

export function completionsRoute(app: FastifyInstance, { context, metrics }: RouteOptions): void {
  app.post<{ Body: CompletionRequest }>(
    '/v1/completions',
    { schema: { body: CompletionRequest }, ...v1Hooks(context, metrics, Object.keys(CompletionRequest.properties)) },
    async (request, reply) => {
      const controller = closedSignal(reply);
      const { body } = request;
      const stream = body.stream ?? false;
      const read = await readCompletion(body, context, stream);
      const { head, strategy, requests, logprobs, tokenIds, promptIds, echo } = read;
      const n = body.n ?? 1;
      const format = new CompletionReply(head, {
        logprobs: body.logprobs === undefined ? null : { full: logprobs?.full ?? false },
        tokenIds,
        n,
        promptIds: tokenIds ? promptIds.map((ids) => Array.from(ids)) : [],
        echo,
      });
      const made = requests[0]!.n;
      const choose = (choices: readonly Choice[]): readonly Choice[] => bestChoices(choices, made, n);
      const job: Job = {
        strategy,
        requests,
        format,
        stream,
        includeUsage: head.includeUsage,
        ...(made > n ? { choose } : {}),
      };
      return answer(job, request, reply, { context, metrics, controller });
    },
  );
}
