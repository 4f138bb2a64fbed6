// A picture that was dropped, pasted or chosen → a data: URI that fits a message. Large ones are drawn smaller: a tower sees a few hundred
// pixels a side at most, and the websocket's messages are bounded.

const KINDS: readonly string[] = ['image/png', 'image/jpeg', 'image/webp'];
const WHOLE_BYTES = 512 * 1024;
const LONGEST_SIDE = 1024;

export const accepted = KINDS.join(',');

/** Of what a drop or a paste carries; null where there is no file. */
export const pictureIn = (data: DataTransfer | null): File | null =>
  [...(data?.files ?? [])].find(({ type }) => type.startsWith('image/')) ?? data?.files[0] ?? null;

/** Rejects with words for whoever chose the file. */
export async function dataUriOf(file: File): Promise<string> {
  if (!KINDS.includes(file.type)) throw new Error(`${file.name} is no PNG, JPEG or WebP picture.`);
  return file.size <= WHOLE_BYTES ? read(file) : drawnSmaller(file);
}

async function read(file: File): Promise<string> {
  return new Promise((resolve, reject) => {
    const reader = new FileReader();
    reader.onload = () => resolve(reader.result as string);
    reader.onerror = () => reject(new Error(`${file.name} cannot be read.`));
    reader.readAsDataURL(file);
  });
}

async function drawnSmaller(file: File): Promise<string> {
  const bitmap = await createImageBitmap(file).catch(() => {
    throw new Error(`${file.name} is damaged, or no picture.`);
  });
  const scale = Math.min(1, LONGEST_SIDE / Math.max(bitmap.width, bitmap.height));
  const canvas = document.createElement('canvas');
  canvas.width = Math.round(bitmap.width * scale);
  canvas.height = Math.round(bitmap.height * scale);
  canvas.getContext('2d')?.drawImage(bitmap, 0, 0, canvas.width, canvas.height);
  bitmap.close();
  return canvas.toDataURL('image/jpeg', 0.9);
}
