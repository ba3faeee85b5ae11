/**
Count tests: how many tests a file has, without running one: `node test/runner/count-tests.ts FILE…` prints the sum.

The files are loaded with a stand-in for AVA that counts what is declared, so that tests made in loops and by tables are counted too,
which no search for `test(` would do. AVA itself has no such listing.
*/
import {registerHooks} from 'node:module';
import {resolve} from 'node:path';
import {pathToFileURL} from 'node:url';

const counter = Symbol.for('sluice.tests');
const counts = globalThis as unknown as Record<symbol, number>;
counts[counter] = 0;

/** `test`, `test.serial`, `test.failing` and `test.serial.failing` declare one; hooks and macros none. */
const standIn = `
const count = () => { globalThis[Symbol.for('sluice.tests')]++; };
const nothing = () => {};
const hooks = {before: nothing, after: nothing, beforeEach: nothing, afterEach: nothing};
hooks.after.always = nothing; hooks.afterEach.always = nothing;
const kinds = {...hooks, macro: value => value, failing: count, skip: count, todo: count, only: count};
const test = Object.assign(() => count(), kinds, {serial: Object.assign(() => count(), kinds), meta: {}});
export default test;
`;

registerHooks({
  resolve: (specifier, context, next) =>
    specifier === 'ava'
      ? {url: `data:text/javascript,${encodeURIComponent(standIn)}`, shortCircuit: true}
      : next(specifier, context),
});

for (const file of process.argv.slice(2)) {
  await import(pathToFileURL(resolve(file)).href);
}
process.stdout.write(`${counts[counter]}\n`);
process.exit(0);
