// Things made when they are first asked for, and found again after. Used by passes and builders of kernels/.

export function remembered<Key, Made>(known: Map<Key, Made>, key: Key, make: () => Made): Made {
  const found = known.get(key);
  if (found !== undefined) return found;
  const made = make();
  known.set(key, made);
  return made;
}
