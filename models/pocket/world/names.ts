// Who and what there is in the town, by name only. No facts here; kinds/*.ts attach attributes to these lists.
import type { Name } from './kind.js';

// prettier-ignore
const WOMEN = [
  'Mara', 'Ida', 'Nell', 'Tess', 'Orla', 'Wenna', 'Greta', 'Lise', 'Una', 'Pearl',
  'Sorrel', 'Hanne', 'Ruth', 'Bettany', 'Isolde', 'Clemence', 'Dagny', 'Edda',
];
// prettier-ignore
const MEN = [
  'Tom', 'Jory', 'Silas', 'Abel', 'Corin', 'Piet', 'Ned', 'Lorcan', 'Ivo', 'Matthias',
  'Gil', 'Rafe', 'Osric', 'Barnaby', 'Emil', 'Caspar', 'Dunstan', 'Hugh',
];
// prettier-ignore
const SURNAMES = [
  'Quill', 'Vane', 'Tallow', 'Brine', 'Hask', 'Morrow', 'Penrose', 'Dray', 'Locke', 'Fenn',
  'Garrow', 'Sable', 'Thorne', 'Wick', 'Yarrow', 'Marl', 'Cobb', 'Stroud', 'Nettle', 'Harker',
  'Ling', 'Pascoe', 'Rudd', 'Teague', 'Ashby', 'Boyle', 'Crewe', 'Dunn', 'Ember', 'Flint',
  'Gale', 'Hobbs', 'Inch', 'Jessop', 'Kemp', 'Larch', 'Mudge', 'Nance', 'Ockley', 'Pike',
  'Rooke', 'Sparrow', 'Trask', 'Upton', 'Varley', 'Whelan', 'Yeo', 'Zeal', 'Arkell', 'Bligh',
  'Carne', 'Dowd', 'Elford', 'Frobisher', 'Grimes', 'Hext', 'Ivory', 'Jago', 'Kitto', 'Lugg',
  'Merrin', 'Noy', 'Oddie', 'Pender', 'Quint', 'Rescorla', 'Scobie', 'Tripp', 'Usher', 'Vosper',
  'Wray', 'Yelland', 'Angove', 'Brodie', 'Chegwin', 'Dashwood', 'Eddy', 'Fosse', 'Gundry', 'Hurley',
  'Jope', 'Knapp', 'Lobb', 'Maddern', 'Nokes', 'Orchard', 'Polglase', 'Rowse', 'Skewes', 'Tonkin', 'Abbot', 'Baines', 'Cardew', 'Denzil', 'Eastway', 'Furze',
  'Glover', 'Hallam', 'Ingram', 'Jarrold', 'Keast', 'Lander', 'Moyle', 'Newlyn', 'Opie', 'Prowse',
  'Raddle', 'Sleeman', 'Trounce', 'Udy', 'Verran', 'Wherry', 'Yates', 'Bolitho', 'Curtis', 'Drew',
  'Fairley', 'Gribble', 'Hockin', 'Ivey', 'Jewell', 'Kneebone', 'Laity', 'Mabley', 'Nicholls', 'Odger',
  'Plumb', 'Rundle', 'Sandry', 'Tregear', 'Uren', 'Vivian', 'Warne', 'Bunt', 'Colenso', 'Ferry',
  'Goad', 'Harvey', 'Jenkin', 'Kellow',
];
const SHIP_FIRST = [
  'Grey',
  'Patient',
  'Silver',
  'Bold',
  'Lonely',
  'Merry',
  'Northern',
  'Gentle',
  'Proud',
  'Swift',
  'Restless',
  'Humble',
];
const SHIP_LAST = ['Heron', 'Gannet', 'Petrel', 'Curlew', 'Tern', 'Osprey', 'Puffin'];
const INN_FIRST = ['Crooked', 'Broken', 'Hungry', 'Lucky', 'Painted', 'Wooden', 'Leaning', 'Sleepy'];
const INN_LAST = ['Lantern', 'Barrel', 'Compass', 'Bell', 'Ladder'];
// prettier-ignore
const ANIMALS = [
  'Biscuit', 'Mustard', 'Tinker', 'Captain Whiskers', 'Pudding', 'Bramble', 'Old Soot', 'Marmalade', 'Button', 'Pickle',
  'Duchess', 'Rumpus', 'Thistle', 'Gravy', 'Noodle', 'Admiral', 'Clover', 'Sprat', 'Treacle', 'Velvet',
  'Bosun', 'Cinder', 'Dumpling', 'Figaro', 'Hopscotch', 'Juniper', 'Muffin', 'Nutmeg', 'Trumpet', 'Widget',
];

/** Surnames are unique, first names are shared by several people. */
export const PEOPLE: readonly Name[] = SURNAMES.map((surname, i) => {
  const woman = i % 2 === 0;
  const first = woman ? WOMEN : MEN;
  return { name: `${first[(i >> 1) % first.length] ?? ''} ${surname}`, pronoun: woman ? 'she' : 'he' };
});

const pairs = (first: readonly string[], last: readonly string[]): Name[] =>
  first.flatMap((a) => last.map((b): Name => ({ name: `the ${a} ${b}`, pronoun: 'it' })));

export const SHIPS: readonly Name[] = pairs(SHIP_FIRST, SHIP_LAST);
export const INNS: readonly Name[] = pairs(INN_FIRST, INN_LAST);
export const ANIMAL_NAMES: readonly Name[] = ANIMALS.map((name) => ({ name, pronoun: 'it' }));
