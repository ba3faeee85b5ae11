/**
Entry: the first file of the image: its argument says which of the bundles beside it this process is, as `functions/main.ts` does
where nothing is bundled. Which there are is in `programs.json`: the parts of programs lie there too. Exit 2 for a name that is none.

A bundle is compiled from the code that its warm-up left in `cache/` (`warm.ts`). Without it, or with one that another Node or
other flags of V8 made, it starts all the same, later.
*/
import {readFileSync} from 'node:fs';
import {Script} from 'node:vm';

const folder = __dirname;
const name = process.argv[2] ?? '';
const programs: readonly string[] = JSON.parse(readFileSync(`${folder}/programs.json`, 'utf8'));

const codeOf = (file: string): Buffer | undefined => {
  try {
    return readFileSync(`${folder}/../cache/${file}`);
  } catch {
    return undefined;
  }
};

const head = '(function(exports,require,module,__filename,__dirname){';
const loaded = new Map<string, {exports: unknown}>();

const load = (file: string): unknown => {
  const known = loaded.get(file);
  if (known) {
    return known.exports;
  }
  const filename = `${folder}/${file}`;
  const cachedData = codeOf(file);
  // Bundles are ASCII. So read, a text takes a byte for each character.
  const script = new Script(`${head}${readFileSync(filename, 'latin1')}\n})`, {
    filename,
    columnOffset: -head.length,
    ...(cachedData ? {cachedData} : {}),
  });
  const made = {exports: {} as unknown};
  loaded.set(file, made);
  script.runInThisContext().call(made.exports, made.exports, requireFrom, made, filename, folder);
  return made.exports;
};

const requireFrom = (asked: string): unknown =>
  asked.startsWith('./') ? load(asked.slice('./'.length)) : require(asked);

if (programs.includes(name)) {
  load(`${name}.cjs`);
} else {
  process.stderr.write(`expected the name of a function as the first argument, got "${name}"\n`);
  process.exitCode = 2;
}
