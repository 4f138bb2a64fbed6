// An API key as the configuration reads it, with no limit but those that a test gives.
import { createHash } from 'node:crypto';
import { type ApiKey, unbounded } from '../../server/config/keys.js';

export const hash = (key: string): string => createHash('sha256').update(key).digest('hex');

export const apiKey = (name: string, secret: string, more: Partial<ApiKey> = {}): ApiKey => ({
  name,
  sha256: hash(secret),
  scopes: ['use'],
  ...unbounded,
  ...more,
});
