// Every decoding method of the formula kind. A new one is a file beside this and a line here.
import type { Method } from '../method.js';
import { contrastive } from './contrastive.js';
import { dcd } from './dcd.js';
import { dpa } from './dpa.js';
import { eft } from './eft.js';
import { formula } from './formula.js';
import { fusion } from './fusion.js';
import { guidance } from './guidance.js';
import { plain } from './plain.js';
import { realign } from './realign.js';
import { staticFusion } from './static-fusion.js';
import { vcd } from './vcd.js';

export const methods: readonly Method[] = [
  plain,
  eft,
  fusion,
  staticFusion,
  realign,
  guidance,
  contrastive,
  dcd,
  vcd,
  dpa,
  formula,
];
