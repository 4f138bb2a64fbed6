// What the OpenAPI document says of one route beside the schema of its body, which is the one that the route checks with.
export type JsonValue = null | boolean | number | string | readonly JsonValue[] | { readonly [key: string]: JsonValue };

export interface Summary {
  readonly summary: string;
  readonly description?: string;
  /** Where the reply is no JSON. */
  readonly replyType?: string;
  /** It can be streamed, or is always. */
  readonly streams?: boolean;
  /** In place of 200. */
  readonly status?: number;
  readonly parameters?: Readonly<Record<string, string>>;
}

export interface Example {
  /** A body that works with the suite in the box; tests send it. */
  readonly request?: JsonValue;
  /** What was answered to it. */
  readonly reply?: JsonValue;
}

export interface Operation extends Summary, Example {
  readonly tag: 'Answers' | 'Models' | 'Decoding' | 'Tokens' | 'Status' | 'Administration';
}
