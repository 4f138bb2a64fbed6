// Runs before every test file. One fixed run: a suite that fails tomorrow fails because the code has changed. TRIMTAB_SEED=N looks elsewhere.
import fc from 'fast-check';

fc.configureGlobal({ seed: Number(process.env['TRIMTAB_SEED'] ?? 20261123) });
