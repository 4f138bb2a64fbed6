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
  'Goad', 'Harvey', 'Jenkin', 'Kellow', 'Batten', 'Clemo', 'Dingle', 'Endean', 'Freethy', 'Geach',
  'Hannibal', 'Isbell', 'Jolliff', 'Kempton', 'Luxton', 'Minards', 'Nute', 'Olver', 'Pinch', 'Quiller',
  'Retallick', 'Soady', 'Toy', 'Uglow', 'Venning', 'Wickett', 'Yandle', 'Bassett', 'Crocker', 'Doble',
  'Ellery', 'Faull', 'Gilbart', 'Hambly', 'Jasper', 'Kerslake', 'Lanyon', 'Menhinick', 'Nancarrow', 'Oates',
  'Pethick', 'Roskilly', 'Spargo', 'Trewin', 'Varcoe', 'Whetter', 'Bunney', 'Couch', 'Dymond', 'Eva',
  'Foy', 'Gatty', 'Hocking', 'Jory', 'Kneller', 'Liddicoat', 'Mundy', 'Northey', 'Oxenham', 'Pomeroy', 'Rawle', 'Sercombe', 'Trott', 'Wadge',
];
// prettier-ignore
const SHIP_FIRST = [
  'Grey', 'Patient', 'Silver', 'Bold', 'Lonely', 'Merry', 'Northern', 'Gentle', 'Proud', 'Swift',
];
// prettier-ignore
const SHIP_LAST = [
  'Heron', 'Gannet', 'Petrel', 'Curlew', 'Tern', 'Osprey', 'Puffin', 'Plover', 'Cormorant', 'Albatross',
];
const INN_FIRST = ['Crooked', 'Broken', 'Hungry', 'Lucky', 'Painted', 'Wooden', 'Leaning', 'Sleepy', 'Jolly', 'Double'];
const INN_LAST = ['Lantern', 'Barrel', 'Compass', 'Bell', 'Ladder', 'Kettle'];
// prettier-ignore
const ANIMALS = [
  'Biscuit', 'Mustard', 'Tinker', 'Whiskers', 'Pudding', 'Bramble', 'Soot', 'Marmalade', 'Button', 'Pickle',
  'Duchess', 'Rumpus', 'Thistle', 'Gravy', 'Noodle', 'Admiral', 'Clover', 'Sprat', 'Treacle', 'Velvet',
  'Bosun', 'Cinder', 'Dumpling', 'Figaro', 'Hopscotch', 'Juniper', 'Muffin', 'Nutmeg', 'Trumpet', 'Widget',
  'Acorn', 'Bandit', 'Cobweb', 'Domino', 'Echo', 'Fidget', 'Goblin', 'Hazel', 'Inky', 'Jumble',
  'Kipper', 'Lollop', 'Magpie', 'Nibbles', 'Otto', 'Pepper', 'Quaver', 'Rascal', 'Scamp', 'Turnip',
  'Umber', 'Vagabond', 'Wobble', 'Zephyr', 'Barnacle', 'Crumpet', 'Dandelion', 'Pebble', 'Flotsam', 'Ginger',
  'Hamlet', 'Icicle', 'Jester', 'Lullaby', 'Mopsy', 'Nimbus', 'Oyster', 'Patches', 'Ruffian', 'Snowdrop',
];
/** The first fourteen are the streets where people live (kinds/person.ts). */
// prettier-ignore
export const STREET_NAMES: readonly string[] = [
  'Anchor Lane', 'Mill Stairs', 'Candle Row', 'Gull Street', 'Tar Alley', 'Chapel Hill', 'Salt Yard', 'Weir Walk', 'Rope Court',
  'Kelp Terrace', 'Sexton Gate', 'Fish Steps', 'Mariner Square', 'Beacon Road',
  'Amber Close', 'Badger Lane', 'Cask Row', 'Dial Street', 'Elder Walk', 'Friar Passage', 'Garland Hill', 'Herald Court',
  'Ironmonger Row', 'Jackdaw Steps', 'Knife Alley', 'Lavender Yard', 'Mercer Street', 'Nightingale Lane', 'Orchard Terrace', 'Pepper Gate',
  'Quarry Road', 'Raven Passage', 'Saddler Street', 'Tinder Lane', 'Usher Close', 'Vine Stairs', 'Wagon Yard', 'Yarn Market',
  'Almond Walk', 'Bishop Gate', 'Cutler Square', 'Drover Road', 'Eagle Court', 'Ferry Stairs', 'Glass Alley', 'Hopper Hill',
  'Inkwell Row', 'Jasmine Close', 'Kiln Passage', 'Locksmith Lane', 'Moth Street', 'Needle Steps', 'Oxen Yard', 'Pilgrim Walk',
  'Quince Terrace', 'Rook Square', 'Spindle Alley', 'Thatcher Hill', 'Umbrella Court', 'Watchet Road',
];
/** The first fourteen are the dishes that somebody likes best (kinds/person.ts). All are singular, as the sentences need. */
// prettier-ignore
export const DISH_NAMES: readonly string[] = [
  'eel pie', 'crab soup', 'herring stew', 'plum cake', 'pea porridge', 'fried squid', 'onion tart', 'oat bread', 'mussel broth',
  'honey toast', 'roast goose', 'turnip mash', 'cod chowder', 'apple crumble',
  'beef hotpot', 'lentil loaf', 'pork jelly', 'carrot pudding', 'duck pasty', 'egg custard', 'fig roll', 'gooseberry fool', 'ham hock',
  'kale hash', 'lamb shank', 'mackerel toast', 'nettle dumpling', 'ox tongue', 'parsnip fry', 'quail terrine', 'rabbit curry',
  'salmon mousse', 'trout parcel', 'veal cutlet', 'walnut trifle', 'almond brittle', 'bean casserole', 'cherry cobbler', 'date slice',
  'elder jam', 'fennel salad', 'ginger parkin', 'hake fillet', 'kidney pot', 'lemon posset', 'mushroom ketchup', 'oyster patty',
  'pear strudel', 'rhubarb flan', 'spinach omelette', 'tripe ragout', 'venison sausage', 'whelk fritter', 'barley risotto',
  'chestnut stuffing', 'damson cheese', 'haddock kedgeree', 'leek gratin', 'pigeon roulade', 'sprat paste',
];
// prettier-ignore
const LAW_WORDS = [
  'Candle', 'Feather', 'Bucket', 'Chimney', 'Ladle', 'Mitten', 'Parrot', 'Quilt', 'Ribbon', 'Saddle',
  'Thimble', 'Umbrella', 'Violin', 'Wagon', 'Apron', 'Basket', 'Clog', 'Drum', 'Easel', 'Ferret',
  'Goblet', 'Hammer', 'Inkpot', 'Jug', 'Kite', 'Lobster', 'Mirror', 'Nutshell', 'Onion', 'Pillow',
  'Quill', 'Rattle', 'Shovel', 'Teapot', 'Urn', 'Vinegar', 'Whistle', 'Yoke', 'Anvil', 'Button',
  'Curtain', 'Dice', 'Eel', 'Fiddle', 'Garter', 'Harness', 'Icicle', 'Jacket', 'Kettle', 'Lantern',
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

const things = (names: readonly string[]): Name[] => names.map((name) => ({ name, pronoun: 'it' }));
export const ANIMAL_NAMES: readonly Name[] = things(ANIMALS);
export const STREETS: readonly Name[] = things(STREET_NAMES);
export const DISHES: readonly Name[] = things(DISH_NAMES);
export const LAWS: readonly Name[] = things(LAW_WORDS.map((word) => `the ${word} Law`));
