// The prompts of one request, by view, as its sequences read them: where pictures stand, each place has the id of what is seen there. Pictures
// stay open until close(). Owned by a Run.
import { promptOf as variantOf, type Look } from '../../decoders/prompt.js';
import type { ViewsPlan } from '../../decoders/views-plan.js';
import type { DecodeRequest } from '../wire/decode.js';
import type { EngineModel } from './model.js';

/** Of a view; a draft that is no member and has no prompt of its own reads the first view's. */
export function promptOf({ promptIds }: DecodeRequest, view: number): Int32Array {
  return promptIds[view] ?? promptIds[0] ?? new Int32Array(0);
}

export class Prompts {
  readonly #request: DecodeRequest;
  readonly #views: ViewsPlan;
  readonly #images: { readonly close: () => void }[] = [];

  constructor(request: DecodeRequest, views: ViewsPlan) {
    this.#request = request;
    this.#views = views;
  }

  open(model: EngineModel, view: number): Int32Array {
    const ids = promptOf(this.#request, view);
    const inputs = this.#request.images?.[view] ?? [];
    if (inputs.length === 0 || !model.images) return ids;
    const opened = model.images.open(ids, inputs, lookOf(this.#views.views[view]?.prompt));
    this.#images.push(opened);
    return opened.ids;
  }

  close(): void {
    for (const { close } of this.#images) close();
  }
}

/** How a view sees pictures; null: by the checkpoint's own projector. */
function lookOf(prompt: string | undefined): Look | null {
  const variant = prompt === undefined ? null : variantOf(prompt);
  return variant?.kind === 'images' ? variant.look : null;
}
