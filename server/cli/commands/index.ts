// The commands, in the order in which the help lists them.
import type { Declare } from '../command.js';
import { declareChat } from './chat.js';
import { declareConvert } from './convert.js';
import { declareDoctor } from './doctor.js';
import { declareExplain } from './explain.js';
import { declareLogits } from './logits.js';
import { declareMeasurements } from './measure.js';
import { declareModels } from './models.js';
import { declareSchema } from './schema.js';
import { declareServe } from './serve.js';
import { declareVersion } from './version.js';

export const commands: readonly Declare[] = [
  declareServe,
  declareChat,
  declareModels,
  declareDoctor,
  declareConvert,
  declareExplain,
  declareLogits,
  declareMeasurements,
  declareSchema,
  declareVersion,
];
