/** The image's entry: which program an argument means. */
import {spawnSync} from 'node:child_process';
import {fileURLToPath} from 'node:url';
import test from 'ava';

const program = fileURLToPath(new URL('../../functions/main.ts', import.meta.url));
const run = (...args: string[]) =>
  spawnSync(process.execPath, [program, ...args], {
    encoding: 'utf8',
    env: {PATH: process.env.PATH},
    timeout: 30_000,
  });

for (const name of ['', 'nobody', '../events/source', 'hello/../world', 'Hello']) {
  test(`"${name}" is no function: exit 2, and it says what was expected`, t => {
    const {status, stderr} = run(name);
    t.is(status, 2);
    t.regex(stderr, /expected the name of a function/);
  });
}

test('a function and the source are run by their names', t => {
  // Both complain of their settings, each of its own.
  t.regex(run('deadletter').stderr, /DATABASE_URL/);
  t.regex(run('source').stderr, /K_SINK/);
});
