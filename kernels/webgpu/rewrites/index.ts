// All rewrites by operator.
import { elementwise } from './elementwise.js';
import { movement } from './movement.js';
import { reduction } from './reduction.js';
import { runningSum } from './running-sum.js';
import type { Rewrites } from './rewrite.js';

export const rewrites: Rewrites = { ...elementwise, ...reduction, ...runningSum, ...movement };
