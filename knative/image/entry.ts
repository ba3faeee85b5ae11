/**
Entry: the first file of the image: its argument says which of the bundles beside it this process is, as `functions/main.ts` does
where nothing is bundled. Which there are is in `programs.json`: the parts of programs lie there too. Exit 2 for a name that is none.
*/
import {readFileSync} from 'node:fs';

const name = process.argv[2] ?? '';
const programs: readonly string[] = JSON.parse(readFileSync(`${__dirname}/programs.json`, 'utf8'));

if (programs.includes(name)) {
  require(`${__dirname}/${name}.cjs`);
} else {
  process.stderr.write(`expected the name of a function as the first argument, got "${name}"\n`);
  process.exitCode = 2;
}
