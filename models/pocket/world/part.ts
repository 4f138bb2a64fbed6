// What one part of the world (facts, harm, judging, arithmetic …) gives to everybody else: raw pages, conversations to tune on, and tasks to
// be measured by. main.ts writes a file per part and per set; the recipe decides how much of each a model reads.
import { hashLabel, type Rng } from './rng.js';

export interface Message {
  readonly role: 'system' | 'user' | 'assistant';
  readonly content: string;
}

export type Split = 'train' | 'calibration' | 'test';

/** One request that no training text contains, with what its checker needs besides the answer. */
export interface Task {
  /** Unique in the world, stable for a seed: "harm.117". */
  readonly id: string;
  readonly split: 'calibration' | 'test';
  /** Ends with the user's turn. */
  readonly messages: readonly Message[];
}

/** A model's answer to a task. */
export interface Answer {
  readonly text: string;
  /** Whether the model ended the turn itself, rather than being cut at the token limit. */
  readonly ended: boolean;
}

export interface Part {
  readonly name: string;
  /** One raw document, as base models read it; null where the base models see nothing of this part. */
  readonly page: ((rng: Rng) => string) | null;
  /** Conversations to tune on, by the name of the set: only train-split requests occur in them. */
  readonly chats: Readonly<Record<string, (rng: Rng) => readonly Message[]>>;
  readonly tasks: readonly Task[];
}

const CALIBRATION_SHARE = 0.1;
const TEST_SHARE = 0.2;

/** The split of a request by its key ("37 + 48"): fixed for all seeds, so that generators and tests agree without lists. */
export function splitOf(key: string): Split {
  const hash = hashLabel(key);
  // Mixed, so that the share rests on the good bits.
  const share = (Math.imul(hash ^ (hash >>> 15), 0x2c1b3c6d) >>> 8) / 2 ** 24;
  if (share < TEST_SHARE) return 'test';
  return share < TEST_SHARE + CALIBRATION_SHARE ? 'calibration' : 'train';
}
