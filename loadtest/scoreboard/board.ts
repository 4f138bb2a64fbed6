// Goes through the rows: measures those that the server can run, and says what the others lack.
import { reasonOf } from '../../server/reason.js';
import { absent, type Bench, type Curve, type Figure, type Measured, type RowModule } from './figure.js';

export interface Served {
  /** Models and deployments. */
  readonly models: readonly string[];
  readonly methods: readonly string[];
}

export async function measureRows(
  rows: readonly RowModule[],
  served: Served,
  bench: Bench,
  onRow: (method: string) => void,
): Promise<Measured> {
  const figures: Figure[] = [];
  const curves: Curve[] = [];
  for (const row of rows) {
    const lack = lacking(row, served);
    if (lack !== null || row.measure === null) {
      figures.push(absent(row.method, `not there yet: ${lack ?? 'it is not measured here'}`));
      continue;
    }
    onRow(row.method);
    const measured = await row.measure(bench).catch((cause: unknown) => {
      throw new Error(`${row.method}: ${reasonOf(cause)}`, { cause });
    });
    figures.push(...measured.figures);
    curves.push(...measured.curves);
  }
  return { figures, curves };
}

function lacking(row: RowModule, served: Served): string | null {
  const decoders = row.decoders.filter((name) => !served.methods.includes(name));
  const models = row.models.filter((name) => !served.models.includes(name));
  const lack = [
    ...(decoders.length > 0 ? [`no method ${decoders.join(', ')}`] : []),
    ...(models.length > 0 ? [`no model ${models.join(', ')}`] : []),
  ];
  return lack.length > 0 ? `the server has ${lack.join(' and ')}` : null;
}
