// One function per operator that we use, named exactly as the operator: this export list is the operator table. Each checks its
// arguments, infers dtype and symbolic shape, and throws a GraphError where the mistake is made.
export * from './ops/elementwise.js';
export * from './ops/linear.js';
export * from './ops/movement.js';
export * from './ops/reduction.js';
