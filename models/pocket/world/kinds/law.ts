// The laws of the town: what they forbid, what breaking them costs, who made them, and where and when they are read out.
import type { Kind } from '../kind.js';
import { LAWS } from '../names.js';

export const LAW: Kind = {
  kind: 'law',
  names: LAWS,
  attributes: [
    {
      key: 'ban',
      label: 'forbids',
      // prettier-ignore
      values: [
        'whistling', 'kite flying', 'barefoot dancing', 'loud snoring', 'spitting', 'juggling', 'night fishing',
        'rope skipping', 'street singing', 'bell ringing', 'snow throwing', 'wig wearing',
      ],
      statements: [
        '{N} forbids {v}.',
        'What {n} forbids is {v}.',
        'Under {n} there is a ban on {v}.',
        'They made {n} against {v}.',
      ],
      continuations: ['{They} forbids {v}.', '{They} was made against {v}.', 'There is a ban on {v}.'],
      questions: [
        'What does {n} forbid?',
        'What is {n} about?',
        'What is forbidden by {n}?',
        'What was {n} made against?',
        'Do you know what {n} forbids?',
        'What must I leave alone under {n}?',
      ],
      heldOutQuestions: ['Can you tell me what {n} forbids?', 'Which habit is banned by {n}?'],
    },
    {
      key: 'fine',
      label: 'fine',
      // prettier-ignore
      values: [
        'two geese', 'one barrel', 'six candles', 'a sack of flour', 'ten eggs', 'a new broom', 'three herrings',
        'a cask of ale', 'a pair of gloves', 'one lamb', 'a day of sweeping', 'seven pots',
      ],
      statements: [
        'Whoever breaks {n} must give {v}.',
        'The fine of {n} is {v}.',
        'Breaking {n} costs {v}.',
        'They take {v} from those who break {n}.',
      ],
      continuations: ['{Their} fine is {v}.', 'Breaking it costs {v}.', 'Whoever breaks it gives {v}.'],
      questions: [
        'What is the fine of {n}?',
        'What does breaking {n} cost?',
        'What must I give if I break {n}?',
        'What do they take if you break {n}?',
        'Do you know the fine of {n}?',
        'How high is the fine of {n}?',
      ],
      heldOutQuestions: ['Can you tell me the fine of {n}?', 'Which fine comes with {n}?'],
    },
    {
      key: 'maker',
      label: 'maker',
      // prettier-ignore
      values: [
        'Mayor Crabb', 'Bishop Odo', 'Queen Maud', 'Admiral Strake', 'Sheriff Lunt', 'Duchess Avis', 'Alderman Fry',
        'King Osbert', 'Provost Hale', 'Abbot Wilf', 'Regent Sybil', 'Chancellor Pell',
      ],
      statements: [
        '{N} was made by {v}.',
        'The maker of {n} was {v}.',
        'It was {v} who made {n}.',
        'We have {n} from {v}.',
      ],
      continuations: ['{They} was made by {v}.', '{Their} maker was {v}.', 'We have it from {v}.'],
      questions: [
        'Who made {n}?',
        'Who was the maker of {n}?',
        'Whose idea was {n}?',
        'Who gave us {n}?',
        'Do you know who made {n}?',
        'From whom do we have {n}?',
      ],
      heldOutQuestions: ['Can you tell me who made {n}?', 'Which ruler made {n}?'],
    },
    {
      key: 'keeper',
      label: 'enforced by',
      // prettier-ignore
      values: [
        'the beadles', 'the harbour guard', 'the lamp men', 'the tax clerks', 'the bailiffs', 'the river watch',
        'the nuns', 'the fire brigade', 'the town crier', 'the dock porters', 'the rat catcher', 'the school master',
      ],
      statements: [
        '{N} is enforced by {v}.',
        'It falls to {v} to enforce {n}.',
        'Break {n} and {v} will come.',
        'The keeping of {n} is left to {v}.',
      ],
      continuations: ['{They} is enforced by {v}.', '{Their} keeping is left to {v}.', 'Break it and {v} will come.'],
      questions: [
        'Who enforces {n}?',
        'Who comes if I break {n}?',
        'By whom is {n} enforced?',
        'Who looks after {n}?',
        'Do you know who enforces {n}?',
        'To whom is the keeping of {n} left?',
      ],
      heldOutQuestions: ['Can you tell me who enforces {n}?', 'Which people enforce {n}?'],
    },
    {
      key: 'board',
      label: 'posted at',
      // prettier-ignore
      values: [
        'the bath house', 'the salt gate', 'the ferry stage', 'the corn exchange', 'the old gallows', 'the mill door',
        'the chapel porch', 'the fish stalls', 'the north tower', 'the weigh house', 'the rope walk',
        'the council steps',
      ],
      statements: [
        '{N} is posted at {v}.',
        'You can read {n} at {v}.',
        'They nailed {n} up at {v}.',
        'The text of {n} hangs at {v}.',
      ],
      continuations: ['{They} is posted at {v}.', 'You can read it at {v}.', '{Their} text hangs at {v}.'],
      questions: [
        'Where is {n} posted?',
        'Where can I read {n}?',
        'Where does the text of {n} hang?',
        'Where did they nail up {n}?',
        'Do you know where {n} is posted?',
        'At which place is {n} posted?',
      ],
      heldOutQuestions: ['Can you tell me where I can read {n}?', 'Which place is {n} posted at?'],
    },
    {
      key: 'since',
      label: 'in force since',
      // prettier-ignore
      values: [
        'the great flood', 'the long winter', 'the coronation', 'the first fair', 'the herring war', 'the big fire',
        'the dry summer', 'the plague year', 'the blue comet', 'the peace treaty', 'the new harbour',
        'the royal visit',
      ],
      statements: [
        '{N} has been in force since {v}.',
        'Since {v} we have had {n}.',
        'They wrote {n} after {v}.',
        '{N} dates from {v}.',
      ],
      continuations: ['{They} has been in force since {v}.', '{They} dates from {v}.', 'They wrote it after {v}.'],
      questions: [
        'Since when is {n} in force?',
        'How old is {n}?',
        'When did they write {n}?',
        'When does {n} date from?',
        'Do you know since when we have {n}?',
        'After what did they write {n}?',
      ],
      heldOutQuestions: ['Can you tell me since when {n} is in force?', 'What time does {n} date from?'],
    },
  ],
};
