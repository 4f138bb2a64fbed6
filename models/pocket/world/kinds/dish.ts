// The dishes of the town: how they are seasoned, served, priced and eaten, and who cooked them first.
import type { Kind } from '../kind.js';
import { DISHES } from '../names.js';

export const DISH: Kind = {
  kind: 'dish',
  names: DISHES,
  attributes: [
    {
      key: 'spice',
      label: 'spice',
      // prettier-ignore
      values: [
        'nutmeg', 'black pepper', 'saffron', 'thyme', 'mustard seed', 'cloves', 'dill', 'caraway', 'garlic',
        'bay leaf', 'juniper', 'mint',
      ],
      statements: [
        '{N} is seasoned with {v}.',
        'The spice in {n} is {v}.',
        'They put {v} into {n}.',
        'What {n} needs is {v}.',
      ],
      continuations: ['{They} is seasoned with {v}.', '{Their} spice is {v}.', 'They put {v} into it.'],
      questions: [
        'What is {n} seasoned with?',
        'Which spice is in {n}?',
        'What spice does {n} need?',
        'What do they put into {n}?',
        'Do you know the spice in {n}?',
        'How is {n} seasoned?',
      ],
      heldOutQuestions: ['Can you tell me which spice is in {n}?', 'What is the spice of {n}?'],
    },
    {
      key: 'vessel',
      label: 'served in',
      // prettier-ignore
      values: [
        'a clay bowl', 'a pewter dish', 'a wooden trough', 'a copper pan', 'an iron pot', 'a scallop shell',
        'a bread crust', 'a tin mug', 'a glass jar', 'a paper cone', 'a cabbage leaf', 'a silver tureen',
      ],
      statements: [
        '{N} is served in {v}.',
        'They serve {n} in {v}.',
        'You get {n} in {v}.',
        'To the table comes {n} in {v}.',
      ],
      continuations: ['{They} is served in {v}.', 'You get it in {v}.', 'They serve it in {v}.'],
      questions: [
        'What is {n} served in?',
        'What do they serve {n} in?',
        'How is {n} served?',
        'In what do you get {n}?',
        'Do you know what {n} is served in?',
        'What does {n} come in?',
      ],
      heldOutQuestions: ['Can you tell me what {n} is served in?', 'In which vessel do they serve {n}?'],
    },
    {
      key: 'feast',
      label: 'feast',
      // prettier-ignore
      values: [
        'Candle Night', 'Herring Sunday', 'Launching Day', 'Midwinter', 'Bell Monday', 'Harvest Home', 'Net Blessing',
        'Founders Day', 'First Frost', 'Regatta Week', 'Lantern Eve', 'Shearing Day',
      ],
      statements: [
        '{N} is eaten on {v}.',
        'On {v} they eat {n}.',
        'The feast for {n} is {v}.',
        'Everyone cooks {n} on {v}.',
      ],
      continuations: ['{They} is eaten on {v}.', '{Their} feast is {v}.', 'They cook it on {v}.'],
      questions: [
        'When is {n} eaten?',
        'On which feast do they eat {n}?',
        'When do they eat {n}?',
        'What is the feast for {n}?',
        'Do you know when {n} is eaten?',
        'When does everyone cook {n}?',
      ],
      heldOutQuestions: ['Can you tell me when they eat {n}?', 'Which feast is {n} eaten on?'],
    },
    {
      key: 'cook',
      label: 'first cook',
      // prettier-ignore
      values: [
        'Cook Hannaford', 'Mother Dabney', 'Brother Anselm', 'Goodwife Tolley', 'Old Peverell', 'Abbess Ursel',
        'Galley Jack', 'Baker Simms', 'Chef Laval', 'Nanny Gough', 'Uncle Perrin', 'Lady Harcourt',
      ],
      statements: [
        '{N} was first cooked by {v}.',
        'The first to cook {n} was {v}.',
        'We owe {n} to {v}.',
        'It was {v} who thought of {n}.',
      ],
      continuations: ['{They} was first cooked by {v}.', 'The first to cook it was {v}.', 'We owe it to {v}.'],
      questions: [
        'Who first cooked {n}?',
        'Who thought of {n}?',
        'To whom do we owe {n}?',
        'Who was the first to cook {n}?',
        'Do you know who first cooked {n}?',
        'Who made {n} first?',
      ],
      heldOutQuestions: ['Can you tell me who thought of {n}?', 'Which cook was the first to make {n}?'],
    },
    {
      key: 'price',
      label: 'price',
      // prettier-ignore
      values: [
        'a penny', 'two pence', 'three pence', 'four pence', 'five pence', 'sixpence', 'a shilling', 'two shillings',
        'half a crown', 'a farthing', 'a florin', 'a gold guinea',
      ],
      statements: ['{N} costs {v}.', 'The price of {n} is {v}.', 'For {v} you get {n}.', 'They ask {v} for {n}.'],
      continuations: ['{They} costs {v}.', '{Their} price is {v}.', 'They ask {v} for it.'],
      questions: [
        'What does {n} cost?',
        'What is the price of {n}?',
        'How much is {n}?',
        'How much do they ask for {n}?',
        'Do you know what {n} costs?',
        'How much does {n} cost?',
      ],
      heldOutQuestions: ['Can you tell me what {n} costs?', 'Which price do they ask for {n}?'],
    },
    {
      key: 'side',
      label: 'goes with',
      // prettier-ignore
      values: [
        'pickled beets', 'boiled leeks', 'brown bread', 'barley cakes', 'stewed pears', 'sour cream', 'mashed peas',
        'toasted nuts', 'salted butter', 'fried seaweed', 'baked quinces', 'red radishes',
      ],
      statements: [
        '{N} goes with {v}.',
        'With {n} they serve {v}.',
        'Beside {n} you get {v}.',
        'People eat {n} with {v}.',
      ],
      continuations: ['{They} goes with {v}.', 'People eat it with {v}.', 'With it they serve {v}.'],
      questions: [
        'What goes with {n}?',
        'What do they serve with {n}?',
        'What do people eat with {n}?',
        'What do you get beside {n}?',
        'Do you know what goes with {n}?',
        'What should I eat with {n}?',
      ],
      heldOutQuestions: ['Can you tell me what goes with {n}?', 'Which side dish goes with {n}?'],
    },
  ],
};
