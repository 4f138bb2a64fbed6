// A search's plan and the request's own prompt → what the engine needs to score answers: the text around an answer as each source reads it.
// Templates are rendered where templates are; what the client said is never read as a slot. Called by both text routes.
import type { SearchPlan } from '../../decoders/plan.js';
import type { AppContext, ChatMessage, Engine, ResolvedStrategy, TextService } from '../context.js';
import type { Frame, SearchJob } from '../wire/decode.js';
import { spokenOf, type OwnPrompt } from './view-prompts.js';

/** The conversation, and what of the answer it has said already. */
interface Spoken {
  readonly messages: readonly ChatMessage[];
  readonly begun: string;
}

export interface PreparedSearch {
  readonly job: SearchJob;
  /** Tokens of an answer that the context of everything that reads it holds beside the text around it; Infinity where nothing does. */
  readonly room: number;
}

export async function searchJob(
  { text, engine }: Pick<AppContext, 'text' | 'engine'>,
  { search, tokenizerModel }: Pick<ResolvedStrategy, 'search' | 'tokenizerModel'>,
  own: OwnPrompt,
): Promise<PreparedSearch | null> {
  if (search === null) return null;
  // Whoever judges answers reads text.
  const spoken = await spokenIn(text, tokenizerModel, spokenOf(own));
  const frames = search.sources.map((source) => framesOf(text, source, spoken, own.kind === 'ids'));
  const job = { plan: search, frames: await Promise.all(frames), messages: spoken.messages };
  return { job, room: await roomBeside(text, job, engine.info) };
}

async function roomBeside(text: TextService, { plan, frames }: SearchJob, models: Engine['info']): Promise<number> {
  const rooms = plan.sources.flatMap((source, at) => {
    const context = source.kind === 'http' ? undefined : models.find(({ name }) => name === source.model);
    if (context === undefined) return [];
    return (frames[at] ?? []).map(async ({ before, after, addSpecialTokens }) => {
      const around = await text.encode(context.name, before + after, { addSpecialTokens });
      return context.contextLength - around.length;
    });
  });
  return Math.min(Infinity, ...(await Promise.all(rooms)));
}

async function spokenIn(text: TextService, model: string, own: OwnPrompt): Promise<Spoken> {
  if (own.kind === 'ids')
    return { messages: [{ role: 'user', content: await text.decode(model, own.ids) }], begun: '' };
  const last = own.messages.at(-1);
  return own.encoding.continueFinal && last
    ? { messages: own.messages.slice(0, -1), begun: last.content }
    : { messages: own.messages, begun: '' };
}

async function framesOf(
  text: TextService,
  source: SearchPlan['sources'][number],
  { messages, begun }: Spoken,
  isPlain: boolean,
): Promise<readonly Frame[]> {
  switch (source.kind) {
    case 'http':
      return [];
    case 'embedding':
      return [{ before: '', after: '', trims: false, addSpecialTokens: true }];
    case 'judge':
      return source.variants.map((template) => {
        const [before = '', after = ''] = template.split('{answer}').map((part) => filled(part, messages));
        return { before: before + begun, after, trims: false, addSpecialTokens: true };
      });
    case 'reward': {
      const [only] = messages;
      // A plain prompt has no turns: the model reads the text as it is continued.
      if (isPlain && only) return [{ before: only.content, after: '', trims: false, addSpecialTokens: true }];
      const { before, after, trims } = await text.frame(source.model, messages);
      return [{ before: before + begun, after, trims, addSpecialTokens: false }];
    }
    default:
      return source satisfies never;
  }
}

const speakers: Readonly<Record<ChatMessage['role'], string>> = {
  system: 'System',
  user: 'User',
  assistant: 'Assistant',
  tool: 'Tool',
};

/** In one pass, and by function: what is filled in is no template. */
function filled(template: string, messages: readonly ChatMessage[]): string {
  const request = messages.filter(({ role }) => role === 'user').at(-1)?.content ?? '';
  return template.replace(/\{(request|conversation)\}/g, (_, slot) =>
    slot === 'request' ? request : messages.map(({ role, content }) => `${speakers[role]}: ${content}`).join('\n'),
  );
}
