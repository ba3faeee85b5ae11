/**
Main: the entry of the image that all functions share: the first argument says which one this process is.

In: `args` of a manifest: the name of a folder here, or of a program that is no function. Out: that folder's `main.ts`, run; exit 2
for a name that is none. Only the named program is loaded: a start from zero pays for no other.
*/
import {existsSync} from 'node:fs';

/** Programs that live elsewhere: the sources', what brings the database to this release, what waits for its stores. */
const others: Readonly<Record<string, string>> = {
  source: '../events/source/main.ts',
  migrate: '../schemas/sql/main.ts',
  'wait-for': '../events/wait-for/main.ts',
};

const name = process.argv[2] ?? '';
const program = new URL(
  Object.hasOwn(others, name) ? (others[name] as string) : `./${name}/main.ts`,
  import.meta.url,
);

if (/^[a-z][a-z0-9]*(-[a-z0-9]+)*$/.test(name) && existsSync(program)) {
  await import(program.href);
} else {
  process.stderr.write(`expected the name of a function as the first argument, got "${name}"\n`);
  process.exitCode = 2;
}
