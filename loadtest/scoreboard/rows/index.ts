// Every row of the scoreboard, in the order of the table. A new method is a file beside this and a line here.
import type { RowModule } from '../figure.js';
import { ablationRows } from './ablations.js';
import { dcdRow } from './dcd.js';
import { dpaRewardRow } from './dpa-reward.js';
import { dpaRow } from './dpa.js';
import { eftRow } from './eft.js';
import { ensemblesRow } from './ensembles.js';
import { fusionRow } from './fusion.js';
import { interpolationRow } from './interpolation.js';
import { rainRow } from './rain.js';
import { transferQRow } from './transfer-q.js';
import { worldRow } from './world.js';

export const rowModules: readonly RowModule[] = [
  worldRow,
  eftRow,
  interpolationRow,
  fusionRow,
  dpaRow,
  ...ablationRows,
  transferQRow,
  rainRow,
  dpaRewardRow,
  ensemblesRow,
  dcdRow,
];
