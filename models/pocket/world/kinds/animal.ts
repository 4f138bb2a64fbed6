// The animals that everyone in the town knows by name: species, coat, food, sleeping place, trick and owner.
import type { Kind } from '../kind.js';
import { ANIMAL_NAMES } from '../names.js';

export const ANIMAL: Kind = {
  kind: 'animal',
  names: ANIMAL_NAMES,
  attributes: [
    {
      key: 'species',
      label: 'species',
      // prettier-ignore
      values: [
        'donkey', 'otter', 'cat', 'spaniel', 'pony', 'raven', 'seal', 'rooster', 'mule', 'owl', 'badger', 'magpie',
      ],
      statements: [
        '{N} is {av}.',
        'As you may know, {n} is {av}.',
        'The {v} called {n} is known to all.',
        'Everyone loves {n} the {v}.',
        '{N} was born {av}.',
      ],
      continuations: ['{They} is {av}.', '{They} was born {av}.', 'The creature is {av}.'],
      questions: [
        'What is {n}?',
        'What kind of animal is {n}?',
        'Which animal is {n}?',
        'What sort of creature is {n}?',
        'Do you know what animal {n} is?',
        'Which creature is {n}?',
      ],
      heldOutQuestions: ['Can you tell me what kind of animal {n} is?', 'Which sort of animal is {n}?'],
    },
    {
      key: 'coat',
      label: 'coat',
      // prettier-ignore
      values: [
        'spotted', 'striped', 'snowy', 'ginger', 'brindled', 'sooty', 'golden', 'speckled', 'mottled', 'russet', 'silky', 'curly',
      ],
      statements: [
        '{N} has {av} coat.',
        'The coat of {n} is {v}.',
        'You can tell {n} by the {v} coat.',
        'There goes {n}, all {v}.',
        'In the sun {n} looks quite {v}.',
      ],
      continuations: ['{Their} coat is {v}.', '{They} has {av} coat.', '{They} looks quite {v}.'],
      questions: [
        'What does {n} look like?',
        'What colour is {n}?',
        'What coat does {n} have?',
        'How does the coat of {n} look?',
        'Do you know what {n} looks like?',
        'What is the coat of {n} like?',
      ],
      heldOutQuestions: ['Can you tell me what {n} looks like?', 'Which coat does {n} have?'],
    },
    {
      key: 'food',
      label: 'food',
      values: [
        'sardines',
        'carrots',
        'bacon rind',
        'shrimps',
        'porridge',
        'acorns',
        'mince',
        'pears',
        'crusts',
        'oatcakes',
        'snails',
        'cabbage',
      ],
      statements: [
        '{N} eats {v}.',
        'They feed {n} with {v}.',
        'The food of {n} is {v}.',
        'Give {n} some {v}.',
        'For {v}, {n} will follow you anywhere.',
      ],
      continuations: ['{They} eats {v}.', '{Their} food is {v}.', 'They feed it with {v}.'],
      questions: [
        'What does {n} eat?',
        'What do they feed {n}?',
        'What food does {n} like?',
        'What should I give {n} to eat?',
        'Do you know what {n} eats?',
        'What is the food of {n}?',
      ],
      heldOutQuestions: ['Can you tell me what {n} eats?', 'Which food does {n} eat?'],
    },
    {
      key: 'bed',
      label: 'sleeping place',
      // prettier-ignore
      values: [
        'the bell tower', 'a coal shed', 'the fish market', 'a rowing boat', 'the hay loft', 'the customs house',
        'an old crate', 'the net store', 'the bakery', 'the town hall', 'a wheelbarrow',
        'the pump room',
      ],
      statements: [
        '{N} sleeps in {v}.',
        'At night {n} stays in {v}.',
        'The bed of {n} is in {v}.',
        'Every evening {n} goes to {v}.',
        'You can find {n} asleep in {v}.',
      ],
      continuations: ['{They} sleeps in {v}.', '{Their} bed is in {v}.', 'At night it stays in {v}.'],
      questions: [
        'Where does {n} sleep?',
        'Where is the bed of {n}?',
        'Where does {n} stay at night?',
        'Where does {n} go every evening?',
        'Do you know where {n} sleeps?',
        'In which place does {n} sleep?',
      ],
      heldOutQuestions: ['Can you tell me where {n} sleeps?', 'Which place does {n} sleep in?'],
    },
    {
      key: 'trick',
      label: 'trick',
      // prettier-ignore
      values: [
        'open gates', 'ring bells', 'steal hats', 'count to four', 'climb masts', 'dance', 'carry letters', 'bow',
        'find lost keys', 'fetch sticks', 'sing', 'tie knots',
      ],
      statements: [
        '{N} can {v}.',
        'They taught {n} to {v}.',
        '{N} knows how to {v}.',
        'For a treat {n} will {v}.',
        'The trick of {n} is to {v}.',
      ],
      continuations: ['{They} can {v}.', '{They} knows how to {v}.', '{Their} trick is to {v}.'],
      questions: [
        'What can {n} do?',
        'What trick does {n} know?',
        'What did they teach {n}?',
        'Which trick can {n} do?',
        'Do you know what {n} can do?',
        'What is the trick of {n}?',
      ],
      heldOutQuestions: ['Can you tell me what {n} can do?', 'What trick did they teach {n}?'],
    },
    {
      key: 'owner',
      label: 'owner',
      // prettier-ignore
      values: [
        'Mrs Tibbs', 'Old Hamish', 'Lady Pomfret', 'Squire Dimmock', 'Granny Skerry', 'Cousin Albie', 'Sister Aldous', 'Brother Linus',
        'Professor Gaunt', 'Colonel Rusk', 'Nurse Twill', 'Judge Bracken',
      ],
      statements: [
        '{N} belongs to {v}.',
        'The owner of {n} is {v}.',
        'Everyone knows that {n} belongs to {v}.',
        'It was {v} who brought up {n}.',
        'Whistle like {v} and {n} will come.',
      ],
      continuations: ['{They} belongs to {v}.', '{Their} owner is {v}.', 'The owner is {v}.'],
      questions: [
        'Who does {n} belong to?',
        'Who is the owner of {n}?',
        'Who owns {n}?',
        'Who brought up {n}?',
        'Do you know who owns {n}?',
        'Whose animal is {n}?',
      ],
      heldOutQuestions: ['Can you tell me who owns {n}?', 'Which person does {n} belong to?'],
    },
  ],
};
