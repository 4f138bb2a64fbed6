// The prompt ids of each view, and of a draft that is none: the request's own prompt, or the variant of it that the distribution asks for, through that member's own
// template. Called by both text routes; equal (model, prompt) are encoded once. Every prompt that leaves here has at least one id.
import { describePrompt } from '../../decoders/prompt.js';
import type { PromptVariant } from '../../decoders/prompt.js';
import { planViews } from '../../decoders/views-plan.js';
import type { AppContext, ChatEncoding, ChatMessage, ResolvedStrategy, TextService } from '../context.js';
import { AppError } from '../errors.js';
import type { ImageReference } from '../images/service.js';
import { withoutMarks } from '../models/image-mark.js';
import type { ImageInput } from '../wire/decode.js';
import { notSupported } from '../wire/refusals.js';

/** What the client sent: text or ids for every view, or messages that each member renders in its own way. */
export type OwnPrompt =
  | { readonly kind: 'ids'; readonly ids: Int32Array }
  | { readonly kind: 'messages'; readonly messages: readonly ChatMessage[]; readonly encoding: ChatEncoding };

/** For messages that a distribution brings to a request which has none of its own. */
const newTurn: ChatEncoding = { addGenerationPrompt: true, continueFinal: false };

export async function viewPrompts(
  text: TextService,
  strategy: Pick<ResolvedStrategy, 'distribution' | 'search' | 'prompts' | 'speculation'>,
  own: OwnPrompt,
): Promise<Int32Array[]> {
  const { distribution, search, prompts, speculation } = strategy;
  const encoded = new Map<string, Promise<Int32Array>>();
  const encode = (model: string, key: string): Promise<Int32Array> => {
    const cached = encoded.get(`${model}\n${key}`);
    if (cached !== undefined) return cached;
    const variant = prompts.get(key) ?? { kind: 'own' };
    const ids = promptIds(text, model, variant, own).then((found) => nonEmpty(found, model, variant));
    encoded.set(`${model}\n${key}`, ids);
    return ids;
  };
  // A draft that is no member reads the request's own prompt, in its own template.
  const { views } = planViews(distribution, search, speculation);
  return Promise.all(views.map(({ model, prompt }) => encode(model, prompt)));
}

async function promptIds(
  text: TextService,
  model: string,
  variant: PromptVariant,
  own: OwnPrompt,
): Promise<Int32Array> {
  switch (variant.kind) {
    case 'own':
      return own.kind === 'ids' ? own.ids : text.encodeChat(model, own.messages, own.encoding);
    case 'images': {
      const { messages } = own.kind === 'ids' ? { messages: [] } : own;
      if (own.kind === 'ids' || variant.look.kind !== 'none') return promptIds(text, model, { kind: 'own' }, own);
      return text.encodeChat(model, messages.map(spoken), own.encoding);
    }
    case 'lastToken':
      return (await promptIds(text, model, { kind: 'own' }, own)).slice(-1);
    case 'text':
      return text.encode(model, variant.text, { addSpecialTokens: true });
    case 'messages':
      return text.encodeChat(model, variant.messages, own.kind === 'ids' ? newTurn : own.encoding);
    case 'system': {
      if (own.kind === 'ids') {
        const remedy = 'A plain prompt has no turns: use {"text": "…"}, or /v1/chat/completions.';
        throw refused(variant, 'changes the system turn of messages', remedy);
      }
      const others = own.messages.filter(({ role }) => role !== 'system');
      if (others.length === 0) throw refused(variant, 'leaves no message', 'Send a user turn.');
      const system: readonly ChatMessage[] = variant.text === null ? [] : [{ role: 'system', content: variant.text }];
      return text.encodeChat(model, [...system, ...others], own.encoding);
    }
    default:
      return variant satisfies never;
  }
}

/** What is said, without what is shown. */
const spoken = (message: ChatMessage): ChatMessage => ({ ...message, content: withoutMarks(message.content) });

export const spokenOf = (own: OwnPrompt): OwnPrompt =>
  own.kind === 'ids' ? own : { ...own, messages: own.messages.map(spoken) };

/** The pictures that each view sees, in the order of viewPrompts. */
export async function viewImages(
  { images }: Pick<AppContext, 'images'>,
  { distribution, search, prompts, speculation, name }: ResolvedStrategy,
  references: readonly ImageReference[],
): Promise<readonly (readonly ImageInput[])[]> {
  const { views } = planViews(distribution, search, speculation);
  const models = views.map(({ model }) => model);
  if (!images || !models.some((model) => images.sees(model))) {
    const remedy = 'Leave images out, or use a model with a vision tower.';
    throw notSupported(references[0]?.param ?? 'messages', `an image for ${name}, which reads text only`, remedy);
  }
  const inputs = await images.read(references, models);
  return views.map(({ model, prompt }) => (seesOwn(prompts.get(prompt)) ? (inputs.get(model) ?? []) : []));
}

/** Does a variant keep the pictures of the request? */
function seesOwn(variant: PromptVariant = { kind: 'own' }): boolean {
  switch (variant.kind) {
    case 'own':
    case 'system':
      return true;
    case 'images':
      return variant.look.kind !== 'none';
    case 'lastToken':
    case 'text':
    case 'messages':
      return false;
    default:
      return variant satisfies never;
  }
}

function nonEmpty(ids: Int32Array, model: string, variant: PromptVariant): Int32Array {
  // The request's own prompt is checked with the request's own words.
  if (ids.length > 0 || variant.kind === 'own' || variant.kind === 'lastToken') return ids;
  throw refused(variant, `has no tokens for ${model}`, 'Give at least one token of text.');
}

function refused(variant: PromptVariant, problem: string, remedy: string): AppError {
  return new AppError('invalid_value', {
    param: 'decoding',
    problem: `a prompt of this distribution ${problem}`,
    value: describePrompt(variant),
    remedy,
  });
}
