/**
AVA: runs the test files and tells what came of them.

In: AVA's arguments, the environment of the tests. Out: the counts. Failing tests are shown as they fail; what the tests
wrote themselves is shown live when `verbose`, else only after a failure.
*/
import {spawn} from 'node:child_process';
import {createInterface} from 'node:readline';
import {say, seconds} from './stage.ts';
import {createTapReader, type TapResult, type TapTest} from './tap.ts';

const outputMax = 100_000;
/** How long AVA has after an abort to run its teardowns. */
const graceMs = 20_000;

export const runAva = async ({
  args,
  environment,
  verbose,
  signal,
}: {
  args: readonly string[];
  environment: NodeJS.ProcessEnv;
  verbose: boolean;
  signal: AbortSignal;
}): Promise<TapResult> => {
  const started = performance.now();
  const show = ({outcome, title, text}: TapTest) => {
    if (outcome === 'failed') {
      say(text);
    } else if (verbose) {
      const logs = text.split('\n').slice(1);
      say([`${outcome === 'passed' ? 'ok' : outcome}  ${title}`, ...logs].join('\n'));
    }
  };
  const reader = createTapReader(show);
  const child = spawn(
    process.execPath,
    [
      '--import',
      './test/runner/mend-tap.ts',
      'node_modules/ava/entrypoints/cli.mjs',
      '--tap',
      ...args,
    ],
    {
      env: environment,
      stdio: ['ignore', 'pipe', 'pipe'],
      signal,
    },
  );
  let output = '';
  child.stderr.on('data', chunk => {
    if (verbose) {
      process.stderr.write(chunk);
    }
    output = (output + chunk).slice(-outputMax);
  });
  createInterface({input: child.stdout}).on('line', reader.push);
  const hard = () => {
    // Once it has ended this does nothing.
    setTimeout(() => child.kill('SIGKILL'), graceMs).unref();
  };
  if (signal.aborted) {
    hard();
  }
  signal.addEventListener('abort', hard, {once: true});
  const exitCode = await new Promise<number | null>(resolve => {
    // An abort is told as an error too; the exit follows.
    child.on('error', () => {});
    child.on('close', resolve);
  });
  signal.removeEventListener('abort', hard);
  const result = reader.end(exitCode);
  if (result.failed > 0) {
    if (!verbose && output) {
      say(`\nWhat the tests wrote, the last of it:\n${output.trimEnd()}`);
    }
    say(`\n${result.failures.map(text => `FAILED  ${text.split('\n')[0]}`).join('\n')}`);
  }
  say(`${result.failed > 0 ? 'FAILED' : 'passed'}  tests (${seconds(started)})`);
  return result;
};
