// An answer as it comes: `node stream.ts [URL]`
import { Trimtab } from '@trimtab/client';

const client = new Trimtab({ baseUrl: process.argv[2] ?? 'http://127.0.0.1:8000' });

const stream = client.stream({
  model: 'pocket-eft',
  messages: [{ role: 'user', content: 'Can you tell me what Tar Alley smells of?' }],
  temperature: 0,
});
for await (const text of stream.texts()) process.stdout.write(text);

const { usage, decoding } = await stream.final();
console.log(`\n\n${usage.completion_tokens} tokens of ${decoding.formula}`);
