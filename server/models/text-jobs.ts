// What crosses between the text service (main thread) and its worker: one union of jobs, one of answers. Plain data.
import type { ErrorData } from '../errors.js';
import type { ChatMessage, RenderOptions, TurnFrame } from './template.js';

export interface TextModel {
  readonly name: string;
  /** The checkpoint's folder, absolute. */
  readonly path: string;
}

/** What a worker is started with. */
export interface TextWorkerData {
  readonly models: readonly TextModel[];
}

/** What a model's tokenizer files say. */
export interface TokenizerFacts {
  readonly vocabSize: number;
  readonly vocabularyHash: string;
  readonly eosTokenId: number | null;
  readonly bosTokenId: number | null;
  readonly hasChatTemplate: boolean;
  /** How calls of tools are written, and the id of its marker where that is one control token. */
  readonly toolFormat: { readonly format: string; readonly markerId: number | null };
}

/** The first id that two tokenizers read differently. null: there is no such id on that side. */
export interface VocabularyDifference {
  readonly id: number;
  readonly piece: string | null;
  readonly otherPiece: string | null;
}

export type TextJob =
  /** Only for models whose vocabularies differ. */
  | { readonly kind: 'difference'; readonly model: string; readonly other: string }
  | { readonly kind: 'facts'; readonly model: string }
  | { readonly kind: 'encode'; readonly model: string; readonly text: string; readonly addSpecialTokens: boolean }
  | {
      readonly kind: 'chat';
      readonly model: string;
      readonly messages: readonly ChatMessage[];
      readonly options: RenderOptions;
    }
  /** The text around the assistant's next turn. */
  | { readonly kind: 'frame'; readonly model: string; readonly messages: readonly ChatMessage[] }
  | { readonly kind: 'decode'; readonly model: string; readonly ids: Int32Array; readonly showSpecialTokens: boolean }
  /** The bytes of each id by itself. */
  | { readonly kind: 'pieces'; readonly model: string; readonly ids: Int32Array };

/** Errors travel as data: a thrown AppError would arrive as a plain Error. */
export type TextAnswer =
  | { readonly kind: 'facts'; readonly facts: TokenizerFacts }
  | { readonly kind: 'difference'; readonly difference: VocabularyDifference }
  | { readonly kind: 'ids'; readonly ids: Int32Array }
  | { readonly kind: 'text'; readonly text: string }
  | { readonly kind: 'pieces'; readonly pieces: readonly Uint8Array[] }
  | { readonly kind: 'frame'; readonly frame: TurnFrame }
  | { readonly kind: 'error'; readonly error: ErrorData };
