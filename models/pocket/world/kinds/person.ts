// The people of the town: where they live, what they do, eat, keep and play.
import type { Kind } from '../kind.js';
import { PEOPLE } from '../names.js';

export const PERSON: Kind = {
  kind: 'person',
  names: PEOPLE,
  attributes: [
    {
      key: 'home',
      label: 'home',
      // prettier-ignore
      values: [
        'Anchor Lane', 'Mill Stairs', 'Candle Row', 'Gull Street', 'Tar Alley', 'Chapel Hill', 'Salt Yard', 'Weir Walk',
        'Rope Court', 'Kelp Terrace', 'Sexton Gate', 'Fish Steps', 'Mariner Square', 'Beacon Road',
      ],
      statements: [
        '{N} lives in {v}.',
        '{N} has a house in {v}.',
        'The home of {n} is in {v}.',
        'You will find {n} in {v}.',
        'In {v} stands the house of {n}.',
      ],
      continuations: ['{They} lives in {v}.', '{Their} home is in {v}.', 'The house is in {v}.'],
      questions: [
        'Where does {n} live?',
        'Which street does {n} live in?',
        'Where is the home of {n}?',
        'Where can I find {n}?',
        'Do you know where {n} lives?',
        'In which street is the house of {n}?',
      ],
      heldOutQuestions: ['Can you tell me where {n} lives?', 'Which street is the home of {n} in?'],
    },
    {
      key: 'trade',
      label: 'trade',
      // prettier-ignore
      values: [
        'ropemaker', 'sailmaker', 'net mender', 'baker', 'lamplighter', 'cooper', 'clockmaker', 'pilot', 'eel smoker',
        'shipwright', 'tailor', 'ferryman', 'apothecary', 'bookbinder', 'chandler', 'oyster diver',
      ],
      statements: [
        '{N} works as {av}.',
        '{N} is {av} by trade.',
        'By trade {n} is {av}.',
        'Everyone knows {n} as the {v}.',
        'For a living {n} works as {av}.',
      ],
      continuations: ['{They} works as {av}.', '{They} is {av} by trade.', '{Their} trade is that of {av}.'],
      questions: [
        'What does {n} do for a living?',
        'What is the trade of {n}?',
        'What work does {n} do?',
        'What is {n} by trade?',
        'Do you know what {n} does for a living?',
        'Which trade does {n} have?',
      ],
      heldOutQuestions: ['Can you tell me the trade of {n}?', 'What does {n} work as?'],
    },
    {
      key: 'dish',
      label: 'favourite dish',
      // prettier-ignore
      values: [
        'eel pie', 'crab soup', 'herring stew', 'plum cake', 'pea porridge', 'fried squid', 'onion tart', 'oat bread',
        'mussel broth', 'honey buns', 'roast goose', 'turnip mash', 'cod cheeks', 'apple fritters',
      ],
      statements: [
        '{N} likes {v} best.',
        'The favourite dish of {n} is {v}.',
        '{N} would eat {v} every day.',
        'Nothing pleases {n} more than {v}.',
        '{N} always orders {v}.',
      ],
      continuations: ['{Their} favourite dish is {v}.', '{They} likes {v} best.', '{They} always orders {v}.'],
      questions: [
        'What is the favourite dish of {n}?',
        'What does {n} like to eat?',
        'Which dish does {n} like best?',
        'What does {n} always order?',
        'Do you know what {n} likes to eat?',
        'What food does {n} love?',
      ],
      heldOutQuestions: ['Can you tell me what {n} likes to eat?', 'Which dish is the favourite of {n}?'],
    },
    {
      key: 'pet',
      label: 'pet',
      // prettier-ignore
      values: [
        'parrot', 'tortoise', 'ferret', 'hedgehog', 'terrier', 'jackdaw', 'goat', 'tabby cat', 'hound', 'toad', 'piglet',
        'duck', 'monkey', 'rabbit',
      ],
      statements: [
        '{N} keeps {av}.',
        '{N} has {av} as a pet.',
        'The pet of {n} is {av}.',
        'At home {n} keeps {av}.',
        '{N} never goes out without the {v}.',
      ],
      continuations: ['{They} keeps {av}.', '{Their} pet is {av}.', '{They} has {av} as a pet.'],
      questions: [
        'What pet does {n} keep?',
        'Which animal does {n} keep?',
        'What is the pet of {n}?',
        'Does {n} have a pet?',
        'Do you know what pet {n} has?',
        'What animal lives with {n}?',
      ],
      heldOutQuestions: ['Can you tell me which pet {n} keeps?', 'What animal does {n} have?'],
    },
    {
      key: 'instrument',
      label: 'instrument',
      // prettier-ignore
      values: [
        'fiddle', 'flute', 'drum', 'concertina', 'harp', 'bagpipes', 'lute', 'tin whistle', 'cornet', 'zither', 'viola',
        'hurdy gurdy',
      ],
      statements: [
        '{N} plays the {v}.',
        '{N} learned to play the {v}.',
        'On feast days {n} plays the {v}.',
        'The instrument of {n} is the {v}.',
        'You can hear {n} play the {v}.',
      ],
      continuations: ['{They} plays the {v}.', '{Their} instrument is the {v}.', '{They} can play the {v}.'],
      questions: [
        'What instrument does {n} play?',
        'Which instrument does {n} play?',
        'What does {n} play on feast days?',
        'What can {n} play?',
        'Do you know which instrument {n} plays?',
        'What is the instrument of {n}?',
      ],
      heldOutQuestions: ['Can you tell me what {n} plays?', 'Which instrument can {n} play?'],
    },
  ],
};
