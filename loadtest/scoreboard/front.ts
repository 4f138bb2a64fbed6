// A front between helpfulness and verbosity, measured at directions between them: angles in degrees, 0 is helpfulness alone, 90 would be
// verbosity alone, negative ones want brevity. Used by the rows of methods that follow a direction.
import type { Outcomes } from './bootstrap.js';
import type { Cost } from './cost.js';
import { figure, meanOf, type Curve, type Figure } from './figure.js';
import { isMonotone, trend, type Trend } from './trend.js';

export const ANGLES = [-60, -40, -20, 0, 20, 40, 60];
/** Angles either side of helpfulness alone, from where it weighs least to where it weighs most. */
const STEEPNESSES = [60, 40, 20, 0];

/** The column of an angle. */
export const nameOf = (angle: number): string => `${angle}°`;

/** Of the same answers. */
export interface Objectives {
  readonly helpfulness: Outcomes;
  readonly verbosity: Outcomes;
}

const columnAt = (columns: Outcomes, angle: number): readonly number[] => columns[nameOf(angle)] ?? [];
/** Helpfulness weighs the same at an angle and at its opposite, so its outcome is the mean of the two. */
function eitherSide(columns: Outcomes, steepness: number): number[] {
  const other = columnAt(columns, -steepness);
  return columnAt(columns, steepness).map((outcome, task) => (outcome + (other[task] ?? NaN)) / 2);
}
const said = ({ smallestStep }: Trend): string => `smallest step in the wanted direction ${smallestStep.toFixed(3)}`;

export const meansOf = (columns: Outcomes): Record<string, number> =>
  Object.fromEntries(Object.entries(columns).map(([name, column]) => [name, meanOf(column)]));

/** That each objective rises as it weighs more. */
export function alongAxes(
  method: string,
  { helpfulness, verbosity }: Objectives,
  { seed, cost, note }: { readonly seed: number; readonly cost: Cost; readonly note: string },
): Figure[] {
  const longer = trend(
    ANGLES.map((angle) => columnAt(verbosity, angle)),
    1,
    seed,
  );
  const better = trend(
    STEEPNESSES.map((steepness) => eitherSide(helpfulness, steepness)),
    1,
    seed,
  );
  return [
    figure(method, 'verbosity rises with its weight', longer.total, {
      baselines: meansOf(verbosity),
      target: isMonotone(longer),
      cost,
      note: `from −60° to 60°; ${note}; ${said(longer)}`,
    }),
    figure(method, 'helpfulness rises with its weight', better.total, {
      baselines: meansOf(helpfulness),
      target: isMonotone(better),
      note: `from ±60° to 0°, the mean of both sides; ${said(better)}`,
    }),
  ];
}

/** All columns as points: those of angles are one group, each other is its own. */
export const frontOf = (method: string, title: string, { helpfulness, verbosity }: Objectives): Curve => ({
  method,
  title,
  x: 'verbosity (words ÷ 60)',
  y: 'helpfulness',
  points: Object.entries(verbosity).map(([name, words]) => ({
    x: meanOf(words),
    y: meanOf(helpfulness[name] ?? []),
    label: name,
    group: ANGLES.some((angle) => nameOf(angle) === name) ? 'told a direction' : name,
  })),
});
