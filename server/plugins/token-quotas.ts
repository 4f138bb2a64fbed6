// How many tokens each key may use in a minute and in a day. A request reserves what it may need at most (prompt and max_tokens) before it
// begins, and gives back at its end what it did not use, so that no quota is ever exceeded. Over HTTP and on websockets together. Knows of
// keys only their names and quotas.
import type { FastifyInstance } from 'fastify';
import fastifyPlugin from 'fastify-plugin';
import type { ApiKey } from '../config/keys.js';
import { AppError } from '../errors.js';

/** What was reserved; settled once, by what was really used. */
export interface Charge {
  settle(usedTokens: number): void;
}

type QuotaKey = Pick<ApiKey, 'name' | 'tokensPerMinute' | 'tokensPerDay'>;

interface Window {
  readonly startMs: number;
  used: number;
}

interface Quota {
  readonly unit: 'minute' | 'day';
  readonly limit: number;
  readonly window: Window;
  readonly leftMs: number;
}

const lengthMs = { minute: 60_000, day: 86_400_000 } as const;

/** One window per key and unit, which begins with its first request. By a clock that nobody can set back. */
export class TokenQuotas {
  readonly #windows = new Map<string, Window>();
  readonly #nowMs: () => number;

  constructor(nowMs = (): number => performance.now()) {
    this.#nowMs = nowMs;
  }

  /** Throws token_quota_exceeded, and request_over_quota for what could never be had. */
  reserve(key: QuotaKey, tokens: number): Charge {
    const quotas = this.#of(key);
    const never = quotas.find(({ limit }) => tokens > limit);
    if (never) throw new AppError('request_over_quota', { param: 'max_tokens', asked: tokens, ...about(key, never) });
    const full = quotas.filter(({ limit, window }) => window.used + tokens > limit);
    const longest = full.reduce<Quota | null>((a, b) => (a && a.leftMs >= b.leftMs ? a : b), null);
    if (longest)
      throw new AppError('token_quota_exceeded', {
        asked: tokens,
        used: longest.window.used,
        retryAfterSeconds: Math.ceil(longest.leftMs / 1000),
        ...about(key, longest),
      });
    for (const { window } of quotas) window.used += tokens;
    let isOpen = true;
    return {
      settle: (usedTokens) => {
        // Windows that are over have been replaced; what is given back to them is given to nobody.
        if (isOpen) for (const { window } of quotas) window.used -= tokens - Math.min(tokens, usedTokens);
        isOpen = false;
      },
    };
  }

  /** Of the quota with the least left. */
  headers(key: QuotaKey): Readonly<Record<string, string>> {
    const left = ({ limit, window }: Quota): number => limit - window.used;
    const [tightest] = [...this.#of(key)].sort((a, b) => left(a) - left(b));
    if (!tightest) return {};
    return {
      'x-ratelimit-limit-tokens': String(tightest.limit),
      'x-ratelimit-remaining-tokens': String(left(tightest)),
      'x-ratelimit-reset-tokens': String(Math.ceil(tightest.leftMs / 1000)),
    };
  }

  #of({ name, tokensPerMinute, tokensPerDay }: QuotaKey): readonly Quota[] {
    const quota = (unit: Quota['unit'], limit: number | null): readonly Quota[] => {
      if (limit === null) return [];
      const nowMs = this.#nowMs();
      const id = `${unit} ${name}`;
      let window = this.#windows.get(id);
      if (window === undefined || nowMs - window.startMs >= lengthMs[unit]) {
        window = { startMs: nowMs, used: 0 };
        this.#windows.set(id, window);
      }
      return [{ unit, limit, window, leftMs: lengthMs[unit] - (nowMs - window.startMs) }];
    };
    return [...quota('minute', tokensPerMinute), ...quota('day', tokensPerDay)];
  }
}

const about = ({ name }: QuotaKey, { unit, limit }: Quota) => ({ name, unit, limit });

const free: Charge = { settle: () => undefined };

declare module 'fastify' {
  interface FastifyInstance {
    /** Reserves tokens for the key of a request, and tells the client what is left where there is a reply to tell it in. */
    charge(request: FastifyRequest, tokens: number, reply?: FastifyReply): Charge;
  }
}

export const tokenQuotas = fastifyPlugin((app: FastifyInstance, _options, done) => {
  const quotas = new TokenQuotas();
  app.decorate('charge', ({ apiKey }, tokens, reply) => {
    if (apiKey === null) return free;
    try {
      return quotas.reserve(apiKey, tokens);
    } finally {
      if (reply && !reply.sent) void reply.headers(quotas.headers(apiKey));
    }
  });
  done();
});
