// What a search may ask of the engine, and what it gets back. A search is a synchronous generator about one request: it yields
// requests, the engine batches what all searches ask for and resumes each with its answer. A test drives one with a plain list of answers.

/** One branch of generated text; opaque to the search. */
export interface Branch {
  readonly choice: number;
}

export type SearchRequest = { readonly kind: 'next'; readonly branch: Branch };

/** The answer to `next`: the branch has grown by one token, or has ended (end token, stop string, length). */
export interface NextAnswer {
  readonly tokenId: number;
  readonly ended: boolean;
}

export type Search = Generator<SearchRequest, void, NextAnswer>;

/** Lets the distribution choose the branch's next token. */
export function* next(branch: Branch): Generator<SearchRequest, NextAnswer, NextAnswer> {
  return yield { kind: 'next', branch };
}
