// The text thread: loads every model's tokenizer and chat template once, then answers one job at a time. Started by text.ts through
// the pool, always as compiled JavaScript; the thread counts as ready when the exported promise is settled.
import { workerData } from 'node:worker_threads';
import { AppError } from '../errors.js';
import { reasonOf } from '../reason.js';
import { countMarks } from './image-mark.js';
import { imagePlaces, readsNoPictures, type ImagePlaces } from './image-places.js';
import { ChatTemplate } from './template.js';
import type { TextAnswer, TextJob, TextWorkerData, TokenizerFacts } from './text-jobs.js';
import { firstDifference } from './token-table.js';
import { formatNamed, genericFormat } from '../tools/formats.js';
import { Tokenizer } from './tokenizer.js';

interface Loaded {
  readonly path: string;
  /** Null where the model reads no pictures. */
  readonly places: ImagePlaces | null;
  readonly tokenizer: Tokenizer;
  readonly template: ChatTemplate | null;
}

/** A model whose files are bad answers every job with that error, so the first job at start reports it. */
type Entry = Loaded | { readonly error: TextAnswer };

const asAnswer = (error: unknown): TextAnswer => {
  const known =
    error instanceof AppError ? error : new AppError('engine_failed', { reason: reasonOf(error) }, { cause: error });
  return { kind: 'error', error: known.data };
};

function load(): ReadonlyMap<string, Entry> {
  const { models } = workerData as TextWorkerData;
  const shared = new Map<string, Tokenizer>();
  return new Map(
    models.map(({ name, path }): [string, Entry] => {
      try {
        const tokenizer = Tokenizer.load(path, shared);
        const places = imagePlaces(path, tokenizer);
        return [name, { path, places, tokenizer, template: ChatTemplate.load(path, tokenizer.specialTokens) }];
      } catch (error) {
        return [name, { error: asAnswer(error) }];
      }
    }),
  );
}

const entries = load();

function answer(job: TextJob): TextAnswer {
  const entry = entries.get(job.model);
  if (!entry) {
    const available = [...entries.keys()].join(', ');
    return asAnswer(new AppError('model_not_found', { model: job.model, available }));
  }
  if ('error' in entry) return entry.error;
  const { tokenizer, template } = entry;
  switch (job.kind) {
    case 'facts':
      return {
        kind: 'facts',
        facts: {
          vocabSize: tokenizer.vocabulary.size,
          vocabularyHash: tokenizer.vocabulary.hash,
          eosTokenId: tokenizer.idOf('eos_token') ?? null,
          bosTokenId: tokenizer.idOf('bos_token') ?? null,
          hasChatTemplate: template !== null,
          toolFormat: toolFormatOf(template, tokenizer),
        },
      };
    case 'difference': {
      const other = entries.get(job.other);
      if (!other || 'error' in other) throw new Error(`no tokenizer of ${job.other}`);
      return { kind: 'difference', difference: firstDifference(tokenizer.vocabulary, other.tokenizer.vocabulary) };
    }
    case 'encode':
      return { kind: 'ids', ids: tokenizer.encode(job.text, { addSpecialTokens: job.addSpecialTokens }) };
    case 'chat': {
      // The template writes every special token itself.
      const count = job.messages.reduce((sum, { content }) => sum + countMarks(content), 0);
      if (count > 0 && !entry.places) throw readsNoPictures(job.model);
      const text = present(template, job.model).render(job.messages, job.options);
      const ids = tokenizer.encode(text, { addSpecialTokens: false });
      return { kind: 'ids', ids: entry.places ? entry.places.expanded(ids, count) : ids };
    }
    case 'frame':
      return { kind: 'frame', frame: present(template, job.model).frame(job.messages) };
    case 'decode':
      return { kind: 'text', text: tokenizer.decode(job.ids, { skipSpecialTokens: !job.showSpecialTokens }) };
    case 'pieces':
      return { kind: 'pieces', pieces: Array.from(job.ids, (id) => tokenizer.vocabulary.bytesOf(id).slice()) };
    default:
      job satisfies never;
      throw new Error('unreachable');
  }
}

function toolFormatOf(template: ChatTemplate | null, { vocabulary }: Tokenizer): TokenizerFacts['toolFormat'] {
  const format = template?.toolFormat ?? genericFormat.name;
  const { marker } = formatNamed(format);
  const id = marker === null ? undefined : vocabulary.idOf(marker);
  return { format, markerId: id !== undefined && vocabulary.isSpecial(id) ? id : null };
}

function present(template: ChatTemplate | null, model: string): ChatTemplate {
  if (template !== null) return template;
  throw new AppError('not_supported', {
    param: 'messages',
    value: `chat with ${model}, which has no chat template,`,
    remedy: 'Use /v1/completions, or add chat_template.jinja to the model folder.',
  });
}

export default function run(job: TextJob): TextAnswer {
  try {
    return answer(job);
  } catch (error) {
    return asAnswer(error);
  }
}
