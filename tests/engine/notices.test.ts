// What a search commits and where its trunk goes back, told to those who ask and to nobody else.
import { expect, it } from 'vitest';
import { become, commit, fork, release, rewind, sample, type Branch, type Search } from '../../decoders/search.js';
import { drain, makeEngine, plain } from '../support/toy-engine.js';
import { searchRequest } from '../support/toy-search.js';

/** Six tokens, back to two, then over to a fork from there; another fork that is only looked at. */
function* wandering(trunk: Branch): Search {
  yield* sample(trunk, { tokens: 6 });
  yield* rewind(trunk, 2);
  const ahead = yield* fork(trunk);
  const looked = yield* fork(trunk);
  yield* sample(looked, { tokens: 3 });
  yield* rewind(looked, 3);
  yield* release(looked);
  yield* sample(ahead, { tokens: 4 });
  yield* sample(trunk, { tokens: 1 });
  yield* become(trunk, ahead);
  yield* commit(trunk);
  yield* sample(trunk, { tokens: 40 });
  yield* commit(trunk);
}

const served = async (notices: boolean) => {
  const { engine } = makeEngine({ services: { search: (_, trunk) => wandering(trunk) } });
  const change = { notices, maxTokens: 10, stopTokenIds: [], seed: 5 };
  engine.submit(searchRequest('r', { distributions: [plain] }, change));
  return (await drain(engine)).get('r')!;
};

it('tells rewinds of the trunk and commits, in the order of the text', async () => {
  const told = (await served(true)).flatMap((event): (string | number)[] => {
    if (event.kind === 'rewind') return [`${event.choice}: ${event.from} to ${event.to}`];
    if (event.kind === 'commit') return [`${event.choice}: ${event.length} stand`];
    return event.kind === 'delta' ? [event.ids.length] : [];
  });
  const six = [1, 1, 1, 1, 1, 1];
  expect(told).toEqual(['0: 6 to 2', '0: 3 to 2', ...six, '0: 6 stand', 1, 1, 1, 1, '0: 10 stand']);
});

it('says nothing to those who do not ask, and the answer is the same', async () => {
  const [with_, without] = [await served(true), await served(false)];
  const answers = [with_, without].map((events) =>
    events.filter(({ kind }) => !['rewind', 'commit'].includes(kind)).map((event) => ({ ...event, timings: null })),
  );
  expect(answers[0]).toEqual(answers[1]);
  expect(without).toHaveLength(answers[1]!.length);
});
