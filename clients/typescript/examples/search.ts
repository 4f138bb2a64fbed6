// Searches, and what they tell of themselves: `node search.ts [URL]`
import { bestOfN, eft, scorer, speculate, Trimtab } from '@trimtab/client';

const client = new Trimtab({ baseUrl: process.argv[2] ?? 'http://127.0.0.1:8000' });
const steered = eft({ base: 'pocket', tuned: 'pocket-chat', reference: 'pocket-small', weight: 0.6 });
const request = {
  model: 'pocket',
  messages: [{ role: 'user' as const, content: 'Can you tell me what Tar Alley smells of?' }],
  max_tokens: 40,
  seed: 3,
};

// Four answers of the steered model; a reward model chooses.
const decoding = bestOfN(steered, { n: 4, scorer: scorer.reward({ model: 'pocket-reward-1a', head: 'helpful' }) });
for await (const event of client.stream({ ...request, decoding, decoding_trace: true })) {
  if (event.type === 'search') console.log(event.entry.event, JSON.stringify(event.entry['candidates']));
  if (event.type === 'text') process.stdout.write(event.text);
  if (event.type === 'done') console.log('\n', event.decoding.search);
}

// The same law as without, in fewer steps of the large model.
const drafted = await client.decode({ ...request, decoding: speculate(steered, { draft: 'pocket-chat', tokens: 4 }) });
console.log(drafted.text, drafted.decoding.speculation);
