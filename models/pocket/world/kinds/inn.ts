// The inns of the town: street, drink, keeper, door, closing time and game.
import type { Kind } from '../kind.js';
import { INNS } from '../names.js';
import { HOME_STREETS } from './person.js';

export const INN: Kind = {
  kind: 'inn',
  names: INNS,
  attributes: [
    {
      key: 'street',
      label: 'street',
      values: HOME_STREETS,
      statements: [
        '{N} is in {v}.',
        '{N} stands in {v}.',
        'You will find {n} in {v}.',
        'The street of {n} is {v}.',
        'In {v} there is {n}.',
      ],
      continuations: ['{They} stands in {v}.', '{They} is in {v}.', 'The house is in {v}.'],
      questions: [
        'Where is {n}?',
        'Which street is {n} in?',
        'Where can I find {n}?',
        'In which street does {n} stand?',
        'Do you know where {n} is?',
        'How do I get to {n}?',
      ],
      heldOutQuestions: ['Can you tell me where {n} is?', 'Which street can I find {n} in?'],
    },
    {
      key: 'drink',
      label: 'drink',
      values: [
        'cider',
        'dark rum',
        'ginger beer',
        'brown ale',
        'mead',
        'perry',
        'birch wine',
        'stout',
        'sloe gin',
        'punch',
        'barley water',
        'plum brandy',
      ],
      statements: [
        '{N} is known for {v}.',
        '{N} serves {v}.',
        'The drink at {n} is {v}.',
        'People go to {n} for the {v}.',
        'At {n} they pour {v}.',
      ],
      continuations: ['{They} is known for {v}.', '{They} serves {v}.', 'The drink is {v}.'],
      questions: [
        'What do they drink at {n}?',
        'What is {n} known for?',
        'Which drink does {n} serve?',
        'What can I drink at {n}?',
        'Do you know what {n} serves?',
        'What do they pour at {n}?',
      ],
      heldOutQuestions: ['Can you tell me which drink {n} serves?', 'What drink is {n} known for?'],
    },
    {
      key: 'keeper',
      label: 'keeper',
      // prettier-ignore
      values: [
        'Widow Amble', 'Uncle Bray', 'Mother Coyle', 'Doctor Ferris', 'Sergeant Holt', 'Aunt Lovage', 'Master Pym',
        'Dame Rigby', 'Parson Stott', 'Miss Tansy', 'Cousin Ebbs', 'Lady Wragge',
      ],
      statements: [
        '{N} is kept by {v}.',
        'The keeper of {n} is {v}.',
        '{N} belongs to {v}.',
        'Behind the bar of {n} stands {v}.',
        'Ask {v}, who keeps {n}.',
      ],
      continuations: ['{They} is kept by {v}.', '{Their} keeper is {v}.', '{They} belongs to {v}.'],
      questions: [
        'Who keeps {n}?',
        'Who is the keeper of {n}?',
        'Who does {n} belong to?',
        'Who stands behind the bar of {n}?',
        'Do you know who keeps {n}?',
        'Who runs {n}?',
      ],
      heldOutQuestions: ['Can you tell me who keeps {n}?', 'Who is it that runs {n}?'],
    },
    {
      key: 'door',
      label: 'door',
      // prettier-ignore
      values: [
        'yellow', 'crimson', 'white', 'copper green', 'navy blue', 'purple', 'silver', 'walnut', 'rust', 'lime', 'ivory', 'charcoal',
      ],
      statements: [
        '{N} has {av} door.',
        'The door of {n} is {v}.',
        'They painted the door of {n} {v}.',
        'You can tell {n} by the {v} door.',
        'Knock at the {v} door of {n}.',
      ],
      continuations: ['{Their} door is {v}.', '{They} has {av} door.', 'The door is {v}.'],
      questions: [
        'What colour is the door of {n}?',
        'Which door does {n} have?',
        'How is the door of {n} painted?',
        'What does the door of {n} look like?',
        'Do you know the colour of the door of {n}?',
        'What colour did they paint the door of {n}?',
      ],
      heldOutQuestions: ['Can you tell me the colour of the door of {n}?', 'Which colour is the door of {n}?'],
    },
    {
      key: 'closing',
      label: 'closing time',
      // prettier-ignore
      values: [
        'sunset', 'nine bells', 'ten bells', 'midnight', 'high tide', 'dawn', 'supper time', 'cock crow', 'curfew', 'moonrise',
        'the last ferry', 'noon',
      ],
      statements: [
        '{N} closes at {v}.',
        'The doors of {n} shut at {v}.',
        'They close {n} at {v}.',
        'At {v} everyone must leave {n}.',
        'Closing time at {n} is {v}.',
      ],
      continuations: ['{They} closes at {v}.', 'The doors shut at {v}.', 'Closing time is {v}.'],
      questions: [
        'When does {n} close?',
        'What is the closing time of {n}?',
        'How late is {n} open?',
        'When do the doors of {n} shut?',
        'Do you know when {n} closes?',
        'Until when is {n} open?',
      ],
      heldOutQuestions: ['Can you tell me when {n} closes?', 'When do they close {n}?'],
    },
    {
      key: 'game',
      label: 'game',
      // prettier-ignore
      values: [
        'skittles', 'dominoes', 'darts', 'backgammon', 'quoits', 'draughts', 'cribbage', 'whist', 'arm wrestling', 'chess',
        'dice', 'knucklebones',
      ],
      statements: [
        'At {n} they play {v}.',
        'The game at {n} is {v}.',
        'Guests of {n} play {v}.',
        'Go to {n} for a round of {v}.',
        'In the evening {n} is full of people at {v}.',
      ],
      continuations: ['The guests play {v}.', 'The game there is {v}.', '{They} is the place for {v}.'],
      questions: [
        'What game do they play at {n}?',
        'What can I play at {n}?',
        'Which game is played at {n}?',
        'What do guests of {n} play?',
        'Do you know what they play at {n}?',
        'What is the game at {n}?',
      ],
      heldOutQuestions: ['Can you tell me what they play at {n}?', 'Which game do the guests of {n} play?'],
    },
  ],
};
