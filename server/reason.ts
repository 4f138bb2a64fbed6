// What something thrown says, for a sentence that goes on to say what was tried. Anything may be thrown, so anything is taken. Knows no table of
// errors; called wherever the message of another's failure becomes part of ours.

export const reasonOf = (error: unknown): string => (error instanceof Error ? error.message : String(error));
