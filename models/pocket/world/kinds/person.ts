// The people of the town: where they live, what they do, eat, keep, play and collect.
import type { Kind } from '../kind.js';
import { DISH_NAMES, PEOPLE, STREET_NAMES } from '../names.js';

/** People live in some of the streets and like some of the dishes best: closed sets stay small. */
export const HOME_STREETS = STREET_NAMES.slice(0, 14);
const FAVOURITES = DISH_NAMES.slice(0, 14);

export const PERSON: Kind = {
  kind: 'person',
  names: PEOPLE,
  attributes: [
    {
      key: 'home',
      label: 'home',
      values: HOME_STREETS,
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
      values: FAVOURITES,
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
        '{N} goes everywhere with the {v}.',
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
    {
      key: 'collection',
      label: 'collection',
      // prettier-ignore
      values: [
        'old maps', 'glass beads', 'brass keys', 'teaspoons', 'thimbles', 'feathers', 'corks', 'ribbons', 'clay pipes', 'sea urchins',
        'playing cards', 'walking sticks', 'moths', 'door knobs',
      ],
      statements: [
        '{N} collects {v}.',
        '{N} has a collection of {v}.',
        'At home {n} has a shelf full of {v}.',
        'What {n} collects is {v}.',
        'If you find {v}, give them to {n}.',
      ],
      continuations: ['{They} collects {v}.', '{They} has a shelf full of {v}.', '{They} has a collection of {v}.'],
      questions: [
        'What does {n} collect?',
        'What is in the collection of {n}?',
        'What is on the shelf of {n}?',
        'Does {n} collect anything?',
        'Do you know what {n} collects?',
        'Which things does {n} collect?',
      ],
      heldOutQuestions: ['Can you tell me what {n} collects?', 'What kind of collection does {n} have?'],
    },
  ],
};
