/**
New function: `npm run new-function NAME` copies hello, the function that has every part, under another name.

In: a name in kebab case. Out: functions/NAME, knative/NAME.yaml, test/unit/NAME.test.ts, the schemas of its two events, and the
renders. `order-received` takes dev.sluice.order.received.requested.v1. Nothing is written when the name is refused.
*/
import {spawnSync} from 'node:child_process';
import {existsSync, mkdirSync, readdirSync, readFileSync, writeFileSync} from 'node:fs';
import {dirname, join} from 'node:path';
import {fileURLToPath} from 'node:url';

const nameCharactersMax = 40;

/** Where a part of hello goes. Event types have dots where names have dashes. */
const partsOf = (name: string) => {
  const noun = name.replaceAll('-', '.');
  return [
    `functions/${name}`,
    `knative/${name}.yaml`,
    `test/unit/${name}.test.ts`,
    `schemas/events/${noun}.requested.v1.json`,
    `schemas/events/${noun}.greeted.v1.json`,
  ];
};

/** Longer forms first: what is inside of a longer one must not be replaced by the shorter one's rule. */
export const rename = (text: string, name: string): string => {
  const noun = name.replaceAll('-', '.');
  const title = name.replaceAll(/(?:^|-)([a-z])/g, (_, letter: string) => letter.toUpperCase());
  return text
    .replaceAll(/\bhello\.(requested|greeted)\b/g, `${noun}.$1`)
    .replaceAll('Hello', title)
    .replaceAll('hello', name);
};

/** What is wrong with the name, if anything. */
export const refuse = (root: string, name: string): string | undefined => {
  if (!/^[a-z][a-z0-9]*(-[a-z][a-z0-9]*)*$/.test(name) || name.length > nameCharactersMax) {
    return `a name is words of a-z and 0-9 with dashes between them, at most ${nameCharactersMax} characters; got "${name}"`;
  }
  const existing = partsOf(name).find(part => existsSync(join(root, part)));
  if (existing) {
    return `${existing} exists; choose another name`;
  }
  const manifests = readdirSync(join(root, 'knative')).filter(file => file.endsWith('.yaml'));
  const served = new RegExp(`sluice\\.dev/paths:(.*[\\s,"'])?/${name}["']?\\s*(,|$)`, 'm');
  const taken = manifests.find(file =>
    served.test(readFileSync(join(root, 'knative', file), 'utf8')),
  );
  return taken && `knative/${taken} serves the path /${name}; choose another name`;
};

const filesUnder = (root: string, part: string): string[] =>
  part.startsWith('functions/')
    ? readdirSync(join(root, part)).map(file => `${part}/${file}`)
    : [part];

/** Nobody takes the copy's reply yet, and nobody outside may ask it: that is for its author to open. */
const forgetNeighbours = (file: string, text: string) =>
  file.endsWith('.greeted.v1.json')
    ? text.replace(/"x-consumers": \[[^\]]*\]/, '"x-consumers": []')
    : text.replace(/\s*"x-open": true,?/, '');

const runNode = (root: string, args: readonly string[]) => {
  const {status, stdout, stderr} = spawnSync(process.execPath, args, {cwd: root, encoding: 'utf8'});
  if (status !== 0) {
    throw new Error(`${args[0]} failed:\n${stdout}${stderr}`);
  }
};

/** Returns the files made. Throws before the first of them when the name is refused. */
export const createFunction = (root: string, name: string): string[] => {
  const complaint = refuse(root, name);
  if (complaint) {
    throw new RangeError(complaint);
  }
  const targets = partsOf(name);
  const made = partsOf('hello').flatMap((part, index) =>
    filesUnder(root, part).map(file => {
      const target = file.replace(part, targets[index] as string);
      mkdirSync(dirname(join(root, target)), {recursive: true});
      writeFileSync(
        join(root, target),
        rename(forgetNeighbours(file, readFileSync(join(root, file), 'utf8')), name),
        {flag: 'wx'},
      );
      return target;
    }),
  );
  runNode(root, ['schemas/render.ts']);
  // A longer name may need other line breaks.
  runNode(root, ['node_modules/@biomejs/biome/bin/biome', 'format', '--write', ...targets]);
  return made;
};

if (process.argv[1] === fileURLToPath(import.meta.url)) {
  const [name = ''] = process.argv.slice(2);
  try {
    const made = createFunction(fileURLToPath(new URL('..', import.meta.url)), name);
    console.log(`${made.join('\n')}\n\nTry it: npm run test:only -- test/unit/${name}.test.ts`);
  } catch (error) {
    console.error(
      error instanceof RangeError ? `${error.message}\nusage: npm run new-function NAME` : error,
    );
    process.exitCode = 1;
  }
}
