// Many answers on one connection; a weight is turned while the answer is decoded: `node websocket.ts [URL]`. Node 20 has no websocket of its own, so
// that of the package ws is passed in.
import { Trimtab } from '@trimtab/client';
import { WebSocket } from 'ws';

const client = new Trimtab({ baseUrl: process.argv[2] ?? 'http://127.0.0.1:8000', webSocket: WebSocket });
const connection = await client.connect();
const request = {
  model: 'pocket-eft',
  messages: [{ role: 'user' as const, content: 'Can you tell me what Tar Alley smells of?' }],
  temperature: 0,
  max_tokens: 40,
};

// Eight tokens, then a look, then the rest with another weight.
const stream = connection.stream(request, { credit: 8 });
for await (const event of stream) {
  if (event.type === 'text') process.stdout.write(event.text);
  if (event.type === 'paused') {
    const { formula, positions } = await stream.update({ weight: 0 });
    process.stdout.write(` [from token ${positions[0]}: ${formula}]`);
    stream.resume();
  }
}

// Side by side.
const answers = await Promise.all([1, 2, 3].map((seed) => connection.decode({ ...request, temperature: 1, seed })));
console.log(`\n${answers.map(({ text }) => `- ${text}`).join('\n')}`);
await connection.close();
