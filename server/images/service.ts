// Pictures of a request → what each model's tower takes. A picture is read and checked once, whatever the number of models and views; equal
// ones in one request too. Called by the chat route. Knows no engine.
import { AppError } from '../errors.js';
import type { VisionFacts } from '../models/text.js';
import type { ImageInput } from '../wire/decode.js';
import { invalid } from '../wire/refusals.js';
import { shown } from '../wire/shown.js';
import { fetchPicture, network, type FetchSettings, type Network } from './guard.js';
import { inspect, PictureError, pixelsFor, type Picture } from './picture.js';
import { readPreprocessor, type Preprocessor } from './preprocessor.js';

export interface ImageSettings extends FetchSettings {
  readonly maxPerRequest: number;
  readonly maxPixels: number;
}

/** Where a picture stood in the body, and its address. */
export interface ImageReference {
  readonly param: string;
  readonly url: string;
}

const DATA = /^data:([^;,]*)((?:;[^;,]*)*),/i;
const BASE64 = /^[A-Za-z0-9+/]+={0,2}$/;

export class ImageService {
  readonly #settings: ImageSettings;
  readonly #network: Network;
  readonly #preprocessors = new Map<string, Preprocessor>();

  constructor(settings: ImageSettings, using: Network = network) {
    this.#settings = settings;
    this.#network = using;
  }

  /** Reads how each model that has a tower wants its pictures. */
  load(models: ReadonlyMap<string, { readonly vision: VisionFacts | null }>): void {
    for (const [name, { vision }] of models)
      if (vision) this.#preprocessors.set(name, readPreprocessor(vision.path, vision.imageSize));
  }

  sees(model: string): boolean {
    return this.#preprocessors.has(model);
  }

  /** By model, in the order of the references. */
  async read(
    references: readonly ImageReference[],
    models: readonly string[],
  ): Promise<ReadonlyMap<string, readonly ImageInput[]>> {
    const { maxPerRequest } = this.#settings;
    const seeing = [...new Set(models)].filter((model) => this.sees(model));
    if (references.length === 0) return new Map();
    if (references.length > maxPerRequest)
      throw invalid('messages', `hold more than ${maxPerRequest} images`, references.length, 'Send fewer images.');
    const pictures = new Map<string, Promise<Picture>>();
    const read = (reference: ImageReference): Promise<Picture> => {
      const known = pictures.get(reference.url) ?? this.#told(reference, () => this.#open(reference.url));
      pictures.set(reference.url, known);
      return known;
    };
    const inputs = seeing.map(async (model): Promise<readonly [string, readonly ImageInput[]]> => {
      const preprocessor = this.#preprocessors.get(model);
      if (!preprocessor) return [model, []];
      const made = new Map<string, Promise<ImageInput>>();
      const all = references.map((reference) => {
        const known =
          made.get(reference.url) ??
          this.#told(reference, async () => pixelsFor(await read(reference), preprocessor, this.#settings.maxPixels));
        made.set(reference.url, known);
        return known;
      });
      return [model, await Promise.all(all)];
    });
    return new Map(await Promise.all(inputs));
  }

  async #told<T>({ param, url }: ImageReference, work: () => Promise<T>): Promise<T> {
    try {
      return await work();
    } catch (error) {
      if (!(error instanceof PictureError)) throw error;
      const { problem, remedy } = error;
      throw new AppError('invalid_value', { param, problem, value: shown(url), remedy }, { cause: error });
    }
  }

  async #open(url: string): Promise<Picture> {
    const { maxPixels, maxBytes, hosts } = this.#settings;
    const data = DATA.exec(url.slice(0, 256));
    if (data) {
      const [head, type = '', parameters = ''] = data;
      if (!/;base64$/i.test(parameters)) throw new PictureError('it is a data: URI without base64', 'Add ;base64.');
      return inspect(decoded(url.slice(head.length), maxBytes), type.toLowerCase(), maxPixels);
    }
    if (!URL.canParse(url)) throw new PictureError('it is no address', 'Send a data: URI: data:image/png;base64,…');
    const parsed = new URL(url);
    if (parsed.protocol !== 'https:' && parsed.protocol !== 'http:')
      throw new PictureError(`its scheme is ${parsed.protocol}`, 'Send a data: URI: data:image/png;base64,…');
    if (hosts.length === 0)
      throw new PictureError(
        'pictures are not fetched here',
        'Send a data: URI; the operator may allow hosts (images.hosts).',
      );
    const { bytes } = await fetchPicture(parsed, this.#settings, this.#network);
    return inspect(bytes, null, maxPixels);
  }
}

/** Strictly: the runtime's own decoder skips what is no base64. */
function decoded(text: string, maxBytes: number): Buffer {
  if (text.length > Math.ceil(maxBytes / 3) * 4)
    throw new PictureError(`it is longer than ${maxBytes} bytes`, 'Send a smaller picture or raise images.maxBytes.');
  if (text.length % 4 !== 0 || !BASE64.test(text))
    throw new PictureError('it is no base64', 'Send data:image/png;base64,… without line breaks.');
  return Buffer.from(text, 'base64');
}
