// The ships of the harbour: build, cargo, berth, paint, home port and figurehead.
import type { Kind } from '../kind.js';
import { SHIPS } from '../names.js';

export const SHIP: Kind = {
  kind: 'ship',
  names: SHIPS,
  attributes: [
    {
      key: 'rig',
      label: 'rig',
      // prettier-ignore
      values: [
        'sloop', 'brig', 'schooner', 'cutter', 'ketch', 'lugger', 'barge', 'yawl', 'galley', 'frigate', 'smack', 'clipper',
      ],
      statements: [
        '{N} is {av}.',
        '{N} was built as {av}.',
        'They built {n} as {av}.',
        'As every child can see, {n} is {av}.',
        'The {v} out there is {n}.',
      ],
      continuations: ['{They} is {av}.', '{They} was built as {av}.', 'The ship is {av}.'],
      questions: [
        'What kind of ship is {n}?',
        'What sort of vessel is {n}?',
        'What has {n} been built as?',
        'What type of ship is {n}?',
        'Do you know what kind of ship {n} is?',
        'How is {n} rigged?',
      ],
      heldOutQuestions: ['Can you tell me what kind of ship {n} is?', 'Which sort of ship is {n}?'],
    },
    {
      key: 'cargo',
      label: 'cargo',
      // prettier-ignore
      values: [
        'salt', 'timber', 'wool', 'copper', 'barley', 'tea', 'slate', 'wine', 'lamp oil', 'pepper', 'paper', 'cheese',
        'coal', 'marble',
      ],
      statements: [
        '{N} carries {v}.',
        'The cargo of {n} is {v}.',
        '{N} is loaded with {v}.',
        'Down in the hold of {n} there is {v}.',
        'They load {n} with {v}.',
      ],
      continuations: ['{They} carries {v}.', '{Their} cargo is {v}.', 'The hold is full of {v}.'],
      questions: [
        'What does {n} carry?',
        'What is the cargo of {n}?',
        'Which cargo does {n} carry?',
        'What is {n} loaded with?',
        'Do you know what {n} carries?',
        'What is in the hold of {n}?',
      ],
      heldOutQuestions: ['Can you tell me what {n} carries?', 'What goods does {n} carry?'],
    },
    {
      key: 'berth',
      label: 'berth',
      // prettier-ignore
      values: [
        'East Pier', 'West Pier', 'Long Quay', 'Short Quay', 'Customs Wharf', 'Herring Wharf', 'Old Basin', 'New Basin',
        'Lock Gate', 'Powder Jetty', 'Monks Jetty', 'Sand Dock',
      ],
      statements: [
        '{N} lies at {v}.',
        'The berth of {n} is at {v}.',
        '{N} ties up at {v}.',
        'People find {n} at {v}.',
        'At {v} you can see {n}.',
      ],
      continuations: ['{They} lies at {v}.', '{Their} berth is at {v}.', '{They} ties up at {v}.'],
      questions: [
        'Where does {n} lie?',
        'Where is the berth of {n}?',
        'Where does {n} tie up?',
        'At which pier can I find {n}?',
        'Do you know where {n} lies?',
        'Where in the harbour is {n}?',
      ],
      heldOutQuestions: ['Can you tell me where {n} ties up?', 'Which berth does {n} have?'],
    },
    {
      key: 'hull',
      label: 'hull',
      // prettier-ignore
      values: [
        'scarlet', 'sky blue', 'black', 'cream', 'dark green', 'orange', 'violet', 'chestnut', 'ochre', 'pink', 'turquoise', 'maroon',
      ],
      statements: [
        '{N} has {av} hull.',
        'The hull of {n} is {v}.',
        '{N} is painted {v}.',
        'They painted the hull of {n} {v}.',
        'You can tell {n} by the {v} hull.',
      ],
      continuations: ['{Their} hull is {v}.', '{They} has {av} hull.', '{They} is painted {v}.'],
      questions: [
        'What colour is {n}?',
        'What colour is the hull of {n}?',
        'How is {n} painted?',
        'Which colour does {n} have?',
        'Do you know what colour {n} is?',
        'In which colour is {n} painted?',
      ],
      heldOutQuestions: ['Can you tell me the colour of {n}?', 'Which colour is the hull of {n}?'],
    },
    {
      key: 'port',
      label: 'home port',
      // prettier-ignore
      values: [
        'Lisbeck', 'Varrow', 'Tolmouth', 'Kessel', 'Ormsund', 'Pellagia', 'Dunmarsh', 'Farholm', 'Quenby', 'Rostov Bay',
        'Sundrey', 'Westervik',
      ],
      statements: [
        '{N} comes from {v}.',
        'The home port of {n} is {v}.',
        '{N} was built in {v}.',
        'From {v} came {n}.',
        'Each spring {n} sails home to {v}.',
      ],
      continuations: ['{They} comes from {v}.', '{Their} home port is {v}.', '{They} was built in {v}.'],
      questions: [
        'Where does {n} come from?',
        'What is the home port of {n}?',
        'Which port does {n} come from?',
        'Where was {n} built?',
        'Do you know where {n} comes from?',
        'From which port is {n}?',
      ],
      heldOutQuestions: ['Can you tell me where {n} comes from?', 'Which port is the home of {n}?'],
    },
    {
      key: 'figurehead',
      label: 'figurehead',
      // prettier-ignore
      values: [
        'mermaid', 'lion', 'unicorn', 'dolphin', 'stag', 'griffin', 'bear', 'angel', 'dragon', 'swan', 'knight', 'boar',
      ],
      statements: [
        'The figurehead of {n} is {av}.',
        '{N} has {av} as a figurehead.',
        '{N} wears {av} on the bow.',
        'On the bow of {n} they carved {av}.',
        'People admire the carved {v} of {n}.',
      ],
      continuations: ['{Their} figurehead is {av}.', '{They} has {av} on the bow.', 'The figurehead is {av}.'],
      questions: [
        'What figurehead does {n} have?',
        'What is the figurehead of {n}?',
        'What is carved on the bow of {n}?',
        'Which figurehead does {n} wear?',
        'Do you know the figurehead of {n}?',
        'What does {n} wear on the bow?',
      ],
      heldOutQuestions: ['Can you tell me the figurehead of {n}?', 'Which carving is on the bow of {n}?'],
    },
  ],
};
