/**
Programs: runs an argument of the image as a container does, and ends it with the test.

In: the test, the name, the environment. Out: its exit status and what it said on stderr.
*/
import {spawn} from 'node:child_process';
import {fileURLToPath} from 'node:url';
import type {ExecutionContext} from 'ava';

const entry = fileURLToPath(new URL('../../functions/main.ts', import.meta.url));

export const runProgram = (
  t: Pick<ExecutionContext, 'teardown'>,
  name: string,
  environment: Readonly<Record<string, string>>,
): Promise<{status: number | null; said: string}> => {
  const child = spawn(process.execPath, [entry, name], {
    env: {PATH: process.env.PATH, ...environment},
    stdio: ['ignore', 'ignore', 'pipe'],
  });
  t.teardown(() => {
    child.kill('SIGKILL');
  });
  let said = '';
  child.stderr.setEncoding('utf8').on('data', text => {
    said += text;
  });
  return new Promise((resolve, reject) => {
    child.once('error', reject);
    child.once('close', status => resolve({status, said}));
  });
};
