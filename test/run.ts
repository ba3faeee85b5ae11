/**
Run: `npm test`, everything that must hold, by one command: lint, types, renders, and the tests on a PostgreSQL, a Redis and
a Kafka of their own.

In: AVA's arguments (`npm test -- test/unit/x.test.ts`); `--only` leaves out everything but the tests. Out: each failure
whole, the time of each stage, and a last line `N passed, N failed`; exit code 1 unless all passed and something ran. In CI
(CI=true) a skipped test is a failure. Each stage counts as one test.
*/
import {fileURLToPath} from 'node:url';
import {runAva} from './runner/ava.ts';
import {findNeeds} from './runner/needs.ts';
import {ServiceFailed, startServices} from './runner/services.ts';
import {runStage, type Stage, say} from './runner/stage.ts';
import {summarise} from './runner/tap.ts';

const timeoutMs = 30 * 60_000;

const stages: readonly Stage[] = [
  {
    name: 'lint',
    script: 'node_modules/@biomejs/biome/bin/biome',
    args: ['ci', '--colors=off', '.'],
  },
  {name: 'types', script: 'node_modules/typescript/bin/tsc', args: []},
  {name: 'renders', script: 'schemas/render.ts', args: ['--check']},
];

type Counts = {passed: number; failed: number; skipped: number};

const runStages = async (counts: Counts, signal: AbortSignal) => {
  for (const stage of stages) {
    if (await runStage(stage, signal)) {
      counts.passed++;
    } else {
      counts.failed++;
    }
  }
};

const runTests = async (
  counts: Counts,
  args: readonly string[],
  verbose: boolean,
  signal: AbortSignal,
) => {
  const needed = await findNeeds(process.cwd(), args);
  const services = await startServices(needed, signal);
  try {
    counts.passed += needed.length;
    const environment = {...process.env, ...services.environment};
    const result = await runAva({args, environment, verbose, signal});
    counts.passed += result.passed;
    counts.failed += result.failed;
    counts.skipped += result.skipped;
  } finally {
    await services.stop();
  }
};

const main = async () => {
  process.chdir(fileURLToPath(new URL('..', import.meta.url)));
  const only = process.argv.includes('--only');
  const args = process.argv.slice(2).filter(argument => argument !== '--only');
  const interrupt = new AbortController();
  const stop = (reason: string) => {
    say(`FAILED  ${reason}: stopping`);
    interrupt.abort();
  };
  for (const name of ['SIGINT', 'SIGTERM', 'SIGHUP'] as const) {
    process.on(name, () => stop(name));
  }
  const timer = setTimeout(() => stop(`not done after ${timeoutMs / 60_000} minutes`), timeoutMs);
  const counts: Counts = {passed: 0, failed: 0, skipped: 0};
  if (!only) {
    await runStages(counts, interrupt.signal);
  }
  try {
    if (!interrupt.signal.aborted) {
      await runTests(counts, args, only, interrupt.signal);
    }
  } catch (error) {
    counts.failed++;
    const {message, stack} = error as Error;
    say(`FAILED  ${error instanceof ServiceFailed ? message : stack}`);
  }
  clearTimeout(timer);
  if (counts.skipped > 0 && process.env.CI === 'true') {
    counts.failed++;
    say(`FAILED  ${counts.skipped} test(s) were skipped, and in CI none may be`);
  }
  if (interrupt.signal.aborted) {
    counts.failed = Math.max(counts.failed, 1);
  }
  say(summarise(counts));
  process.exitCode = counts.failed > 0 ? 1 : 0;
};

await main();
