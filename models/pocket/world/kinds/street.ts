// The streets of the town: what they are paved with, what grows, stands, smells and is sold there, and who keeps watch.
import type { Kind } from '../kind.js';
import { STREETS } from '../names.js';

export const STREET: Kind = {
  kind: 'street',
  names: STREETS,
  attributes: [
    {
      key: 'paving',
      label: 'paving',
      // prettier-ignore
      values: [
        'cobbles', 'flagstones', 'oak planks', 'gravel', 'red bricks', 'crushed shells', 'packed clay',
        'tarred boards', 'blue slate', 'river pebbles', 'ship timbers', 'white marble',
      ],
      statements: [
        '{N} is paved with {v}.',
        'They paved {n} with {v}.',
        'The paving of {n} is {v}.',
        'In {n} you walk on {v}.',
      ],
      continuations: ['{They} is paved with {v}.', '{Their} paving is {v}.', 'You walk on {v}.'],
      questions: [
        'What is {n} paved with?',
        'What is the paving of {n}?',
        'How is {n} paved?',
        'What did they pave {n} with?',
        'Do you know what {n} is paved with?',
        'What do you walk on in {n}?',
      ],
      heldOutQuestions: ['Can you tell me what {n} is paved with?', 'Which paving does {n} have?'],
    },
    {
      key: 'tree',
      label: 'tree',
      // prettier-ignore
      values: [
        'lime', 'elm', 'rowan', 'walnut', 'willow', 'plane', 'holly', 'cherry', 'beech', 'alder', 'yew', 'hawthorn',
      ],
      statements: [
        'In {n} grows one old {v} tree.',
        'The tree of {n} is the {v}.',
        '{N} has an avenue of {v} trees.',
        'You can tell {n} by the {v} tree.',
      ],
      continuations: ['{Their} tree is the {v}.', 'There grows an old {v} tree.', '{They} has a row of {v} trees.'],
      questions: [
        'What tree grows in {n}?',
        'Which tree stands in {n}?',
        'What is the tree of {n}?',
        'What kind of tree is in {n}?',
        'Do you know what tree grows in {n}?',
        'What trees does {n} have?',
      ],
      heldOutQuestions: ['Can you tell me which tree grows in {n}?', 'Which sort of tree does {n} have?'],
    },
    {
      key: 'watch',
      label: 'watchman',
      // prettier-ignore
      values: [
        'Sergeant Moody', 'Corporal Finch', 'Old Barlow', 'Constable Hewitt', 'Blind Rufus', 'Beadle Crisp',
        'Long Harry', 'Warden Sprague', 'Drummer Joss', 'Red Matilda', 'Captain Noakes', 'Little Amos',
      ],
      statements: [
        '{v} keeps watch in {n}.',
        'The watchman of {n} is {v}.',
        'At night {n} is guarded by {v}.',
        'In {n} it is {v} who carries the lamp.',
      ],
      continuations: ['{Their} watchman is {v}.', 'At night {v} keeps watch.', '{They} is guarded by {v}.'],
      questions: [
        'Who keeps watch in {n}?',
        'Who is the watchman of {n}?',
        'Who guards {n} at night?',
        'Who carries the lamp in {n}?',
        'Do you know who guards {n}?',
        'Who watches over {n}?',
      ],
      heldOutQuestions: ['Can you tell me who guards {n}?', 'Which watchman does {n} have?'],
    },
    {
      key: 'fountain',
      label: 'fountain',
      // prettier-ignore
      values: [
        'stone frog', 'bronze pike', 'lead swan', 'iron crab', 'marble nymph', 'copper whale', 'tin heron',
        'oak barrel', 'glass globe', 'clay turtle', 'brass horn', 'granite bull',
      ],
      statements: [
        'The fountain of {n} is {av}.',
        'In the middle of {n} stands {av} fountain.',
        '{N} has {av} for a fountain.',
        'Water comes from {av} in {n}.',
      ],
      continuations: ['{Their} fountain is {av}.', 'In the middle stands {av}.', 'The water comes from {av}.'],
      questions: [
        'What fountain does {n} have?',
        'What is the fountain of {n}?',
        'What stands in the middle of {n}?',
        'Where does the water of {n} come from?',
        'Do you know the fountain of {n}?',
        'What does the fountain of {n} look like?',
      ],
      heldOutQuestions: ['Can you tell me about the fountain of {n}?', 'Which fountain stands in {n}?'],
    },
    {
      key: 'smell',
      label: 'smell',
      // prettier-ignore
      values: [
        'fresh bread', 'pipe smoke', 'pitch', 'wet rope', 'lavender', 'soap', 'vinegar', 'burnt sugar', 'horses',
        'cinnamon', 'sawdust', 'old cheese',
      ],
      statements: [
        '{N} smells of {v}.',
        'The smell of {n} is that of {v}.',
        'All of {n} smells of {v}.',
        'Your nose finds {n} by {v}.',
      ],
      continuations: ['{They} smells of {v}.', 'There is a smell of {v}.', '{Their} smell is that of {v}.'],
      questions: [
        'What does {n} smell of?',
        'What is the smell of {n}?',
        'How does {n} smell?',
        'Which smell does {n} have?',
        'Do you know what {n} smells of?',
        'What can you smell in {n}?',
      ],
      heldOutQuestions: ['Can you tell me what {n} smells of?', 'What sort of smell does {n} have?'],
    },
    {
      key: 'market',
      label: 'market',
      // prettier-ignore
      values: [
        'lace', 'crockery', 'second hand books', 'tin toys', 'cut flowers', 'live hens', 'fishing rods', 'straw hats',
        'wax candles', 'blankets', 'spices', 'saddles',
      ],
      statements: [
        'The market in {n} sells {v}.',
        'In {n} they sell {v}.',
        'Go to {n} for {v}.',
        'You can buy {v} in {n}.',
      ],
      continuations: ['{Their} market sells {v}.', 'They sell {v} there.', 'You can buy {v} there.'],
      questions: [
        'What do they sell in {n}?',
        'What does the market in {n} sell?',
        'What can I buy in {n}?',
        'What is sold in {n}?',
        'Do you know what they sell in {n}?',
        'What is the market of {n} good for?',
      ],
      heldOutQuestions: ['Can you tell me what they sell in {n}?', 'Which goods does the market in {n} sell?'],
    },
  ],
};
