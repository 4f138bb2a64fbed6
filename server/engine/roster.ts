// Some runs in the order in which they are served, and what they come to: what they need together, their price, and their rows with the steps
// until each gives them back. Figures side by side, for a decision must not look at every run again. Used by admission.ts.
import { Company } from './company.js';
import { Holders } from './estimate.js';
import type { EngineModel } from './model.js';
import type { Run } from './run.js';

/** What a request may lack: rows or bytes of a model, or room in the step that all share. */
export type Lack = EngineModel | 'step';

const NOBODY = new Holders();

export class Roster {
  readonly needs = new Company();
  readonly #holders = new Map<Lack, Holders>();
  size = 0;
  price = 0;

  /** `standsStill`: its rows take no steps at present. */
  add(run: Run, standsStill = false): void {
    const steps = stepsLeft(run);
    this.needs.add(run, standsStill);
    this.size++;
    this.price += run.price;
    for (const [model, { rows }] of run.demand) this.#hold(model, rows, steps);
    this.#hold('step', run.rows, steps);
  }

  /** Of what somebody lacks, in order. */
  holders(lack: Lack): Holders {
    return this.#holders.get(lack) ?? NOBODY;
  }

  #hold(lack: Lack, rows: number, steps: number): void {
    let holders = this.#holders.get(lack);
    if (!holders) this.#holders.set(lack, (holders = new Holders()));
    holders.add(rows, steps);
  }
}

export const rowsOn = (run: Run, lack: Lack): number =>
  lack === 'step' ? run.rows : (run.demand.get(lack)?.rows ?? 0);

/** Until it ends. */
export const stepsLeft = (run: Run): number => (run.cancelled ? 0 : Math.max(1, run.expectedSteps - run.ledger.steps));

/** Of those that wait: whatever they stood at when they were preempted, their rows will take steps. */
export function rosterOf(waiting: readonly Run[]): Roster {
  const roster = new Roster();
  for (const run of waiting) roster.add(run);
  return roster;
}
