// Every decoding method of the formula kind. A new one is a file beside this and a line here.
import type { Method } from '../method.js';
import { eft } from './eft.js';
import { plain } from './plain.js';

export const methods: readonly Method[] = [plain, eft];
