// A pace that no clock has a say in, so that decisions of admission can be told in advance.
import { Pace, type Rows } from '../../server/engine/pace.js';

/** What it knows it was told; the clock teaches it nothing. A row costs 1 ms a step and model, a prompt's token 0.1 ms. */
export class ToldPace extends Pace {
  override forward(): void {
    // Nothing is learnt.
  }
  override decided(): void {
    // Nothing is learnt.
  }
  override ticked(): void {
    // Nothing is learnt.
  }
  override stepMs(rows: Rows): number {
    return [...rows.values()].reduce((sum, count) => sum + count, 0);
  }
  override promptMs(_model: string, tokens: number): number {
    return 0.1 * tokens;
  }
}
