/** Property tests draw the same cases in every run; `FC_SEED=7 npm run jest -- csv-wild` draws others. */
import fc from 'fast-check';

fc.configureGlobal({ ...fc.readConfigureGlobal(), seed: Number(process.env['FC_SEED'] ?? 20_261_127) });
