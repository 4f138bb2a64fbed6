// Writes the pictures: `node dist/models/pocket/world/pictures/main.js [--scale 1] [--out models/pocket]`, a minute or two.
import { parseArgs } from 'node:util';
import { picturesHash, writePictures } from './write.js';

const { values: options } = parseArgs({
  options: { scale: { type: 'string', default: '1' }, out: { type: 'string', default: 'models/pocket' } },
});

writePictures(options.out, Number(options.scale));
process.stdout.write(`pictures ${picturesHash()}\n`);
