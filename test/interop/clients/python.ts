/**
Python: unmodified Python clients, in one process that is asked for a scenario a line; `python/main.py` says how.

Out: what a scenario's client was told of usage, request by request; a scenario that fails rejects with Python's own words. The packages
of `python/requirements.txt` are brought by pip, once, into `node_modules/.cache/sluice`.
*/
import {spawn} from 'node:child_process';
import {hash} from 'node:crypto';
import {readFileSync} from 'node:fs';
import {join, resolve} from 'node:path';
import {createInterface} from 'node:readline';
import {makePythonEnvironment} from '../../runner/languages.ts';
import type {Tenant} from './world.ts';

const programs = join(import.meta.dirname, 'python');
const cache = resolve(import.meta.dirname, '../../../node_modules/.cache/sluice');
const scenarioMaxMs = 50_000;

type Said = Readonly<{usages?: readonly (readonly [number, number])[]; error?: string}>;

export type Python = Readonly<{
  /** Scenarios run one after the other. */
  run(scenario: string, tenant: Tenant): Promise<readonly (readonly [number, number])[]>;
  end(): void;
}>;

export const startPython = async (): Promise<Python> => {
  const requirements = join(programs, 'requirements.txt');
  const content = hash('sha256', readFileSync(requirements, 'utf8')).slice(0, 16);
  const folder = join(cache, `python-clients-${content}`);
  // Only wheels: nothing is built, and no package's own code runs while it is installed.
  await makePythonEnvironment(folder, ['--only-binary', ':all:', '-r', requirements]);
  return talkTo(join(folder, 'bin/python'), [join(programs, 'main.py')]);
};

const talkTo = (command: string, args: readonly string[]): Python => {
  const child = spawn(command, args, {
    stdio: ['pipe', 'pipe', 'inherit'],
    env: {...process.env, PYTHONDONTWRITEBYTECODE: '1', LANGSMITH_TRACING: 'false'},
  });
  const waiting: PromiseWithResolvers<Said>[] = [];
  child.on('error', () => {});
  child.stdin.on('error', () => {});
  child.on('close', () => {
    for (const {reject} of waiting.splice(0)) {
      reject(new Error(`${command} has ended`));
    }
  });
  createInterface({input: child.stdout}).on('line', line => {
    waiting.shift()?.resolve(JSON.parse(line) as Said);
  });
  let last: Promise<unknown> = Promise.resolve();

  const ask = async (question: object): Promise<Said> => {
    const answer = Promise.withResolvers<Said>();
    waiting.push(answer);
    child.stdin.write(`${JSON.stringify(question)}\n`);
    const timer = setTimeout(() => child.kill('SIGKILL'), scenarioMaxMs);
    return answer.promise.finally(() => clearTimeout(timer));
  };

  return {
    async run(scenario, {baseURL, apiKey, model, embedding}) {
      const question = {do: scenario, base_url: baseURL, api_key: apiKey, model, embedding};
      const said = last.then(() => ask(question));
      last = said.catch(() => {});
      const {usages, error} = await said;
      if (usages === undefined) {
        throw new Error(`${scenario}: ${error}`);
      }
      return usages;
    },
    end: () => void child.kill('SIGKILL'),
  };
};
