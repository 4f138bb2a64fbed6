// What a member reads instead of the request's prompt.

export interface PromptMessage {
  readonly role: 'system' | 'user' | 'assistant';
  readonly content: string;
}

export type Prompt =
  /** Only the last token of the request's prompt: what guidance calls unconditional. */
  | 'last_token'
  /** The request's messages with this system turn in place of theirs; null: without any. */
  | { readonly system: string | null; readonly text?: never; readonly messages?: never }
  /** This text, through no template. */
  | { readonly text: string; readonly system?: never; readonly messages?: never }
  /** These messages, through the model's template. */
  | { readonly messages: readonly PromptMessage[]; readonly system?: never; readonly text?: never }
  /** The request's prompt, its pictures seen by another projection, under noise (steps of 1000), or left out (null). */
  | { readonly images: { readonly projection: string } | { readonly noise: number } | null };
