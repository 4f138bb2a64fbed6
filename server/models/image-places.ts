// Where pictures stand in a prompt: the template writes one token for each, the decoder reads one row per patch. Called by the text thread.
import { imageTokens } from '../../kernels/vision/spec.js';
import { AppError } from '../errors.js';
import { readCheckpoint } from './checkpoint.js';
import type { Tokenizer } from './tokenizer.js';

export interface ImagePlaces {
  /** Each picture's token as often as the picture has rows. `count` pictures were given. */
  expanded(ids: Int32Array, count: number): Int32Array;
}

export const readsNoPictures = (model: string): AppError =>
  new AppError('not_supported', {
    param: 'messages',
    value: `an image for ${model}, which reads text only,`,
    remedy: 'Leave images out, or use a model with a vision tower.',
  });

export function imagePlaces(directory: string, tokenizer: Tokenizer): ImagePlaces | null {
  const { vision } = readCheckpoint(directory).spec;
  if (!vision) return null;
  const { imageTokenId } = vision;
  const perImage = imageTokens(vision);
  const piece = new TextDecoder().decode(tokenizer.vocabulary.bytesOf(imageTokenId));
  return {
    expanded: (ids, count) => {
      const found = ids.reduce((sum, id) => sum + (id === imageTokenId ? 1 : 0), 0);
      if (found !== count)
        throw new AppError('invalid_value', {
          param: 'messages',
          problem: `hold ${count} images, but as a prompt they have ${found} places for images`,
          value: piece,
          remedy: `Leave ${piece || 'the image token'} out of the text, and check that the chat template knows images.`,
        });
      const expanded = new Int32Array(ids.length + count * (perImage - 1));
      let at = 0;
      for (const id of ids) {
        const times = id === imageTokenId ? perImage : 1;
        expanded.fill(id, at, at + times);
        at += times;
      }
      return expanded;
    },
  };
}
