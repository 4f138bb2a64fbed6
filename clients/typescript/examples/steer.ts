// A large model, steered by what a small one learned, with three weights; what it costs is asked first: `node steer.ts [URL]`
import { eft, guidance, Trimtab } from '@trimtab/client';

const client = new Trimtab({ baseUrl: process.argv[2] ?? 'http://127.0.0.1:8000' });

const steered = (weight: number) => eft({ base: 'pocket', tuned: 'pocket-chat', reference: 'pocket-small', weight });

const { formula, forwards_per_token: forwards } = await client.explain(guidance({ model: steered(0.6), weight: 1.5 }));
console.log(formula, forwards);

for (const weight of [0, 0.5, 1]) {
  const { text, decoding } = await client.decode({
    model: 'pocket',
    decoding: steered(weight),
    messages: [{ role: 'user', content: 'Can you tell me what Tar Alley smells of?' }],
    temperature: 0,
    max_tokens: 40,
  });
  console.log(`${decoding.formula}: ${text}`);
}
