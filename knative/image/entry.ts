/**
Entry: the first file of the image: its argument says which of the bundles beside it this process is, as `functions/main.ts` does
where nothing is bundled. Exit 2 for a name that is none.
*/
import {existsSync} from 'node:fs';

const name = process.argv[2] ?? '';
const program = `${__dirname}/${name}.cjs`;

if (/^[a-z][a-z0-9]*(-[a-z0-9]+)*$/.test(name) && name !== 'main' && existsSync(program)) {
  require(program);
} else {
  process.stderr.write(`expected the name of a function as the first argument, got "${name}"\n`);
  process.exitCode = 2;
}
