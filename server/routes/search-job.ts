// A search's plan and the request's own prompt → what the engine needs to score answers: the text around an answer as each source reads it.
// Templates are rendered where templates are; what the client said is never read as a slot. Called by both text routes.
import type { SearchPlan } from '../../decoders/plan.js';
import type { ChatMessage, ResolvedStrategy, TextService } from '../context.js';
import type { Frame, SearchJob } from '../wire/decode.js';
import type { OwnPrompt } from './view-prompts.js';

/** The conversation, and what of the answer it has said already. */
interface Spoken {
  readonly messages: readonly ChatMessage[];
  readonly begun: string;
}

export async function searchJob(
  text: TextService,
  { search, tokenizerModel }: Pick<ResolvedStrategy, 'search' | 'tokenizerModel'>,
  own: OwnPrompt,
): Promise<SearchJob | null> {
  if (search === null) return null;
  const spoken = await spokenIn(text, tokenizerModel, own);
  const frames = search.sources.map((source) => framesOf(text, source, spoken, own.kind === 'ids'));
  return { plan: search, frames: await Promise.all(frames), messages: spoken.messages };
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
};

/** In one pass, and by function: what is filled in is no template. */
function filled(template: string, messages: readonly ChatMessage[]): string {
  const request = messages.filter(({ role }) => role === 'user').at(-1)?.content ?? '';
  return template.replace(/\{(request|conversation)\}/g, (_, slot) =>
    slot === 'request' ? request : messages.map(({ role, content }) => `${speakers[role]}: ${content}`).join('\n'),
  );
}
