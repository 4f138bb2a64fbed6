// What is counted in the exercises. Plurals only, and no word that is also a unit (units.ts), a value of a fact or a name.

export const GOODS: readonly string[] = ['barrels', 'crates', 'eels', 'crabs', 'ropes', 'nets', 'oars', 'lamps'];

/** Short first names for the rows of tables. */
export const HANDS: readonly string[] = ['Mara', 'Tom', 'Ida', 'Piet', 'Nell', 'Ned', 'Tess', 'Gil', 'Una', 'Hugh'];
