// Names of a decoder graph's inputs and outputs: what build.ts declares and model.ts feeds.

export const idsInput = 'ids';
/** Only where positions are learned. */
export const positionsInput = 'positions';
/** [B, S] as a shape. */
export const rowsWidthInput = 'rows_width';
/** [M, S]: how probabilities split into those over the past and those over the new tokens. */
export const splitInput = 'past_new';
export const ropeIndexInput = 'rope_index';
export const slotsInput = 'slots';
/** Only of a decoder beside a vision tower. [I, 1]: places among the N tokens that rows of pictures take, and [I, hidden]: those rows. */
export const imageSlotsInput = 'image_slots';
export const imageRowsInput = 'image_rows';
/** w8a8 only: 128 for every token, and for every wanted one. */
export const zeroPointsInput = 'zero_points';
export const slotZeroPointsInput = 'slot_zero_points';
export const logitsOutput = 'logits';
/** [L, hidden]: what the head sees at the wanted slots. Fetched for embeddings only. */
export const hiddenOutput = 'hidden';
/** [2·layers·B, kvHeads, S, headDim]: keys and values of layer 0, of layer 1, ... */
export const newKeyValuesOutput = 'new_kv';

export const cosInput = (rope: number): string => `cos.${rope}`;
export const sinInput = (rope: number): string => `sin.${rope}`;
export const maskInput = (window: number | null, group: number): string => `mask.${window ?? 'all'}.${group}`;
/** How the heads of a group and the new tokens of a row become the two axes of the attention products. */
export const queryShapeInput = (kvHeads: number, headDim: number): string => `query_shape.${kvHeads}.${headDim}`;
export const pastKeyInput = (layer: number): string => `past_key.${layer}`;
export const pastValueInput = (layer: number): string => `past_value.${layer}`;

// ---- of a graph whose cache stays on the device

/** [B, S, all heads, D] as a shape. */
export const headsShapeInput = (heads: number, headDim: number): string => `heads_shape.${heads}.${headDim}`;
/** [1, 1, 1, M]: 0, 1, … */
export const slotNumbersInput = 'slot_numbers';
/** [B, 1, 1, 1]: new tokens take the slots from the first on, up to before the last. */
export const firstFreeInput = 'first_free';
export const lastFreeInput = 'last_free';
/** [B, 1, group·S, 1]: the last slot that each line of queries may look at. */
export const queryPlacesInput = (group: number): string => `query_places.${group}`;
export const presentKeyOutput = (layer: number): string => `present_key.${layer}`;
export const presentValueOutput = (layer: number): string => `present_value.${layer}`;
/** Keys and values of a layer, going in or coming out. */
export const isCachePort = (name: string): boolean => /^(past|present)_(key|value)\./.test(name);
