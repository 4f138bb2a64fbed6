// What can go wrong, and how it is told apart: `node errors.ts [URL]`
import {
  AbortedError,
  BadRequestError,
  ConnectionError,
  NotFoundError,
  RateLimitError,
  ServerError,
  TimeoutError,
  Trimtab,
} from '@trimtab/client';

const client = new Trimtab({ baseUrl: process.argv[2] ?? 'http://127.0.0.1:8000', maxRetries: 2, timeoutMs: 60_000 });

async function attempt(ask: () => Promise<unknown>): Promise<void> {
  try {
    await ask();
    console.log('it worked');
  } catch (error) {
    // The message names the offending value and what to do; `param` is the field.
    if (error instanceof BadRequestError) console.log(`${error.code} at ${error.param}: ${error.message}`);
    else if (error instanceof NotFoundError) console.log(`not here: ${error.message}`);
    else if (error instanceof RateLimitError) console.log(`again in ${error.retryAfterMs} ms`);
    else if (error instanceof ServerError) console.log(`see the server's log under ${error.requestId}`);
    else if (error instanceof TimeoutError || error instanceof ConnectionError) console.log(error.message);
    else if (error instanceof AbortedError) console.log('aborted');
    else throw error;
  }
}

await attempt(() => client.decode({ model: 'pocket', prompt: 'It was', temperature: 3 }));
await attempt(() => client.decode({ model: 'pocket-eft', prompt: 'It was', decoding: { wieght: 0.3 } }));
await attempt(() => client.decode({ model: 'pockets', prompt: 'It was' }));
await attempt(() => client.decode({ model: 'pocket', prompt: 'It was' }, { signal: AbortSignal.abort() }));
await attempt(() => client.stream({ model: 'pocket', prompt: 'It was', max_tokens: 5 }).text());
