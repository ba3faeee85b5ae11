/**
Main: `npm run bench gateway`, and the others that are listed below: figures beside the least that does the same, in one run.

In: which bench, its options. Out: a table, or one JSON with --json; exit code 1 when a budget is not met, 2 when it could not be
measured. Progress goes to stderr.
*/
import {once} from 'node:events';
import {fileURLToPath} from 'node:url';

/** Loaded when asked for: each brings half of the project. */
const benches = {
  gateway: () => import('./gateway.ts'),
  brokers: () => import('./brokers/bench.ts'),
  debit: () => import('./debit/bench.ts'),
  statements: () => import('./statements/bench.ts'),
  revocation: () => import('./revocation/bench.ts'),
  start: () => import('./start/bench.ts'),
  'cold-start': () => import('./start/cold.ts'),
  rest: () => import('./rest/bench.ts'),
};

const say = (line: string) => void process.stderr.write(`${line}\n`);

const main = async () => {
  process.chdir(fileURLToPath(new URL('../..', import.meta.url)));
  const [name = '', ...args] = process.argv.slice(2);
  if (!Object.hasOwn(benches, name)) {
    say(`expected ${Object.keys(benches).join(' or ')}, got "${name}"`);
    return 2;
  }
  const bench = await benches[name as keyof typeof benches]();
  // Listened for from the start: PostgreSQL runs in a session of its own, and nobody else would end it.
  const interrupt = new AbortController();
  for (const signal of ['SIGINT', 'SIGTERM'] as const) {
    process.once(signal, () => interrupt.abort(new Error(signal)));
  }
  const interrupted = once(interrupt.signal, 'abort').then((): never => {
    throw interrupt.signal.reason;
  });
  try {
    return (await bench.run(args, {say, interrupted})) ? 0 : 1;
  } catch (error) {
    say(
      error instanceof TypeError
        ? `${error.message}\n${bench.usage}`
        : String((error as Error).stack ?? error),
    );
    return 2;
  }
};

// A row that was interrupted still waits for its end.
process.exit(await main());
