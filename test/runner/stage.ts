/**
Stage: one step of `npm test` that is a program: it passes when the program ends with 0.

In: a name, a program. Out: whether it passed and how long it took; what it said is shown only when it failed.
*/
import {spawn} from 'node:child_process';

export type Stage = Readonly<{name: string; script: string; args: readonly string[]}>;

const outputMax = 200_000;

export const say = (line: string) => process.stdout.write(`${line}\n`);
export const seconds = (startedMs: number) =>
  `${((performance.now() - startedMs) / 1000).toFixed(1)} s`;

export const runStage = ({name, script, args}: Stage, signal: AbortSignal): Promise<boolean> =>
  new Promise(resolve => {
    const started = performance.now();
    const child = spawn(process.execPath, [script, ...args], {
      stdio: ['ignore', 'pipe', 'pipe'],
      signal,
    });
    let output = '';
    for (const stream of [child.stdout, child.stderr]) {
      stream.on('data', chunk => {
        output = (output + chunk).slice(-outputMax);
      });
    }
    const finish = (passed: boolean) => {
      if (!passed) {
        say(output.trimEnd());
      }
      say(`${passed ? 'passed' : 'FAILED'}  ${name} (${seconds(started)})`);
      resolve(passed);
    };
    child.on('error', error => {
      output += error.message;
      if (child.pid === undefined) {
        finish(false);
      }
    });
    child.on('close', code => finish(code === 0));
  });
