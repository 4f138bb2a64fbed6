// The section `images`: how many pictures, how large, from where, and what is kept of them.
import { Type } from 'typebox';
import { closed, mebibyte, seconds } from './common.js';

export const Images = Type.Object(
  {
    maxPerRequest: Type.Integer({
      default: 8,
      minimum: 0,
      maximum: 256,
      description: 'Images of one request (images).',
    }),
    maxBytes: Type.Integer({
      default: 10 * mebibyte,
      minimum: 1024,
      description: 'Largest image, as a file (bytes). A data: URI is bounded by limits.bodyBytes too.',
    }),
    maxPixels: Type.Integer({
      default: 4096 * 4096,
      minimum: 1,
      description: 'Largest image, width × height (pixels); checked before anything is decoded.',
    }),
    hosts: Type.Array(Type.String({ minLength: 1 }), {
      default: [],
      maxItems: 256,
      description:
        'Hosts from which http(s) addresses of images are fetched, e.g. "images.example.org" or "*.example.org". None: images come as data: URIs only. Addresses that are not public are never fetched.',
    }),
    timeoutMs: Type.Integer({
      default: 5 * seconds,
      minimum: 10,
      description: 'Longest time for fetching one image, redirects included (ms).',
    }),
    cacheBytes: Type.Integer({
      default: 64 * mebibyte,
      minimum: 0,
      description: 'What was computed of images, kept for re-use, per model (bytes).',
    }),
  },
  { ...closed, default: {}, description: 'Images of requests, for models that read them.' },
);
