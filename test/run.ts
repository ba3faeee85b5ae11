/**
Run: `npm test`, everything that must hold, by one command: lint, types, renders, and the tests on a PostgreSQL, a Redis and
a Kafka of their own.

In: AVA's arguments (`npm test -- test/unit/x.test.ts`); `--only` leaves out everything but the tests; `--cluster` runs those that want
a cluster and nothing else, `--everything` those after all others (`runner/cluster-tests.ts`). Out: each failure
whole, the time of each stage, and a last line `N passed, N failed`; exit code 1 unless all passed and something ran. In CI
(CI=true) a skipped test is a failure, unless a person said CLUSTER=off. Each stage counts as one test.
*/
import {fileURLToPath} from 'node:url';
import {attempt} from './runner/attempt.ts';
import {runAva} from './runner/ava.ts';
import {runClusterTests} from './runner/cluster-tests.ts';
import {findNeeds} from './runner/needs.ts';
import {startServices} from './runner/services.ts';
import {runStage, type Stage, say} from './runner/stage.ts';
import {summarise} from './runner/tap.ts';

/** Of everything but the cluster's tests, and of all: a cluster may have to be built first. */
const limitsMs = {ordinary: 45 * 60_000, whole: 88 * 60_000};
const options = ['--only', '--cluster', '--everything'];

const stages: readonly Stage[] = [
  {
    name: 'lint',
    script: 'node_modules/@biomejs/biome/bin/biome',
    args: ['ci', '--colors=off', '.'],
  },
  {name: 'types', script: 'node_modules/typescript/bin/tsc', args: []},
  {name: 'renders', script: 'schemas/render.ts', args: ['--check']},
];

type Counts = {passed: number; failed: number; skipped: number; leftOut: number};
type Interrupt = Readonly<{signal: AbortSignal; stop: (reason: string) => void}>;

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

const within = async (limitMs: number, {stop}: Interrupt, work: () => Promise<void>) => {
  const timer = setTimeout(() => stop(`not done after ${limitMs / 60_000} minutes`), limitMs);
  await work();
  clearTimeout(timer);
};

const openInterrupt = (): Interrupt => {
  const controller = new AbortController();
  const stop = (reason: string) => {
    say(`FAILED  ${reason}: stopping`);
    controller.abort();
  };
  for (const name of ['SIGINT', 'SIGTERM', 'SIGHUP'] as const) {
    process.on(name, () => stop(name));
  }
  return {signal: controller.signal, stop};
};

const runParts = async (counts: Counts, interrupt: Interrupt) => {
  const {signal} = interrupt;
  const asked = (option: string) => process.argv.includes(option);
  const args = process.argv.slice(2).filter(argument => !options.includes(argument));
  const alone = asked('--only') || asked('--cluster');
  if (!asked('--cluster')) {
    await within(limitsMs.ordinary, interrupt, async () => {
      if (!alone) {
        await runStages(counts, signal);
      }
      if (!signal.aborted) {
        await attempt(counts, () => runTests(counts, args, alone, signal));
      }
    });
  }
  if ((asked('--cluster') || asked('--everything')) && !signal.aborted) {
    await attempt(counts, async () => {
      const found = await runClusterTests({args: alone ? args : [], verbose: alone, signal});
      for (const name of ['passed', 'failed', 'skipped', 'leftOut'] as const) {
        counts[name] += found[name];
      }
    });
  }
};

const main = async () => {
  process.chdir(fileURLToPath(new URL('..', import.meta.url)));
  const interrupt = openInterrupt();
  const counts: Counts = {passed: 0, failed: 0, skipped: 0, leftOut: 0};
  await within(limitsMs.whole, interrupt, () => runParts(counts, interrupt));
  if (counts.skipped > 0 && process.env.CI === 'true') {
    counts.failed++;
    say(`FAILED  ${counts.skipped} test(s) were skipped, and in CI none may be`);
  }
  if (interrupt.signal.aborted) {
    counts.failed = Math.max(counts.failed, 1);
  }
  say(summarise({...counts, skipped: counts.skipped + counts.leftOut}));
  const isNothing = counts.passed + counts.leftOut === 0;
  process.exitCode = counts.failed > 0 || isNothing ? 1 : 0;
};

await main();
