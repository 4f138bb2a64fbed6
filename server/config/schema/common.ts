// What the sections of the configuration share: units of their numbers, and that keys which nobody knows are refused. Used by them and schema.ts.

/** Milliseconds. */
export const seconds = 1000;
/** Bytes. */
export const mebibyte = 1024 * 1024;

export const closed = { additionalProperties: false } as const;
