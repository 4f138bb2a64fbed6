// What is counted in the exercises. Plurals only, and no word that is also a unit (units.ts), a value of a fact or a name.

export const GOODS: readonly string[] = ['barrels', 'crates', 'eels', 'crabs', 'ropes', 'nets', 'oars', 'lamps'];

/** The rows of tables, always in this order. */
export const HANDS: readonly string[] = ['Mara', 'Tom', 'Ida', 'Piet'];
