// The mark that stands for a picture in a message's text, from the route to the chat template, so that messages stay plain strings. Made of
// private-use characters; a client's own text is cleared of them. Knows no picture.

export const imageMark = '\uE0F2image\uE0F3';

export const withoutMarks = (text: string): string => text.replaceAll(imageMark, '');

export const countMarks = (text: string): number => text.split(imageMark).length - 1;

/** A part of a message as templates of models that read pictures expect it. */
export type ContentPart = { readonly type: 'image' } | { readonly type: 'text'; readonly text: string };

/** In their order; neighbouring texts are one. */
export function partsOf(text: string): ContentPart[] {
  return text
    .split(imageMark)
    .flatMap((piece, index): ContentPart[] => [
      ...(index > 0 ? [{ type: 'image' } as const] : []),
      ...(piece === '' ? [] : [{ type: 'text', text: piece } as const]),
    ]);
}
