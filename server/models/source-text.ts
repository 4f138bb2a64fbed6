// Tokenisers in the engine's thread, for answers that are scored while they are made: their text is known nowhere else. Loaded when a model is
// first asked to read. Knows no template: what stands around an answer comes with the request.
import type { SourceText } from '../engine/reads.js';
import { Tokenizer } from './tokenizer.js';

export function sourceText(models: readonly { readonly name: string; readonly path: string }[]): SourceText {
  const paths = new Map(models.map(({ name, path }) => [name, path]));
  const shared = new Map<string, Tokenizer>();
  const byModel = new Map<string, Tokenizer>();
  return {
    encode(model, text, addSpecialTokens) {
      let tokenizer = byModel.get(model);
      if (!tokenizer) {
        const path = paths.get(model);
        if (path === undefined) throw new Error(`no tokenizer of the model ${model}`);
        byModel.set(model, (tokenizer = Tokenizer.load(path, shared)));
      }
      return tokenizer.encode(text, { addSpecialTokens });
    },
  };
}
