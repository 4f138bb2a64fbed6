// The one seed of the shipped world; another seed is another town with other facts.
export const WORLD_SEED = 20261123;
