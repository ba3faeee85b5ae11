/**
SDKs: the official CloudEvents SDKs for Go and Python, each behind a program of `test/interop/` that is asked line by line.

In: the test. Out: what the SDK reads of a message, and the message that it makes of an event. Programs and libraries are
brought by `go` and `pip`, once, into `node_modules/.cache/sluice/`.
*/
import {spawn} from 'node:child_process';
import {hash} from 'node:crypto';
import {readFileSync} from 'node:fs';
import {join, resolve} from 'node:path';
import {createInterface} from 'node:readline';
import type {ExecutionContext} from 'ava';
import type {Event} from '../../events/event.ts';
import {execute, makeOnce, tailOf} from '../runner/install.ts';
import {findGo, makePythonEnvironment} from '../runner/languages.ts';

export type Binding = 'http' | 'kafka';
export type Mode = 'binary' | 'structured' | 'batch';
/** `data` undefined is absent data. */
export type Plain = Readonly<{attributes: Record<string, unknown>; data: Buffer | undefined}>;
export type Letter = Readonly<{
  headers: Record<string, string>;
  body: Buffer | undefined;
  key?: string | undefined;
}>;

export type Sdk = Readonly<{
  /** What the SDK reads: attributes as texts. Rejects with the SDK's own words. */
  read(binding: Binding, letter: Letter): Promise<readonly Plain[]>;
  write(binding: Binding, mode: Mode, events: readonly Plain[]): Promise<Letter>;
}>;

const programs = resolve(import.meta.dirname, '../interop');
const cache = resolve(import.meta.dirname, '../../node_modules/.cache/sluice');
const idleMs = 60_000;

const run = async (
  command: string,
  args: readonly string[],
  environment: Record<string, string> = {},
) => {
  const {code, output} = await execute(command, args, {environment});
  if (code !== 0) {
    throw new Error(`${command} ${args.join(' ')} failed:\n${tailOf(output)}`);
  }
};

/** The name of a folder in the cache: another one when a file that it is made from changes. */
const folderOf = (name: string, files: readonly string[]) => {
  const content = files.map(file => readFileSync(file, 'utf8')).join('\0');
  return join(cache, `${name}-${hash('sha256', content).slice(0, 16)}`);
};

const making = new Map<string, Promise<void>>();

/** The tests of a file begin at once: one of them builds, the others wait. */
const makeOnceHere = (folder: string, make: () => Promise<void>) => {
  const made = making.get(folder) ?? make();
  making.set(folder, made);
  return made;
};

export const startGoSdk = async (t: ExecutionContext): Promise<Sdk> => {
  const go = await findGo();
  const source = join(programs, 'go-sdk');
  const files = ['main.go', 'go.mod', 'go.sum'].map(file => join(source, file));
  const folder = folderOf('go-sdk', files);
  await makeOnceHere(folder, () =>
    makeOnce(folder, draft => run(go, ['build', '-C', source, '-o', join(draft, 'go-sdk'), '.'])),
  );
  return talkTo(t, join(folder, 'go-sdk'), []);
};

export const startPythonSdk = async (t: ExecutionContext): Promise<Sdk> => {
  const source = join(programs, 'python-sdk');
  const requirements = join(source, 'requirements.txt');
  const folder = folderOf('python', [requirements]);
  await makeOnceHere(folder, () => makePythonEnvironment(folder, ['-r', requirements]));
  return talkTo(t, join(folder, 'bin/python'), [join(source, 'main.py')]);
};

type Said = Readonly<{
  events?: ReadonlyArray<{attributes: Record<string, unknown>; data: string | null}>;
  headers?: Record<string, string>;
  body?: string | null;
  key?: string | null;
  error?: string;
}>;

const talkTo = (t: ExecutionContext, command: string, args: readonly string[]): Sdk => {
  const child = spawn(command, args, {stdio: ['pipe', 'pipe', 'inherit']});
  t.teardown(() => child.kill('SIGKILL'));
  const waiting: Array<PromiseWithResolvers<Said>> = [];
  child.on('close', () => {
    for (const {reject} of waiting.splice(0)) {
      reject(new Error(`${command} has ended`));
    }
  });
  child.on('error', () => {});
  child.stdin.on('error', () => {});
  createInterface({input: child.stdout}).on('line', line => {
    waiting.shift()?.resolve(JSON.parse(line) as Said);
  });

  const ask = async (question: object): Promise<Said> => {
    const answer = Promise.withResolvers<Said>();
    waiting.push(answer);
    child.stdin.write(`${JSON.stringify(question)}\n`);
    const timer = setTimeout(() => answer.reject(new Error(`${command} is silent`)), idleMs);
    const said = await answer.promise.finally(() => clearTimeout(timer));
    if (said.error !== undefined) {
      throw new Error(said.error);
    }
    return said;
  };

  return {
    read: async (binding, {headers, body}) => {
      const question = {do: 'read', binding, headers, body: body?.toString('base64') ?? null};
      const {events = []} = await ask(question);
      return events.map(({attributes, data}) => ({attributes, data: decoded(data)}));
    },
    write: async (binding, mode, events) => {
      const said = await ask({
        do: 'write',
        binding,
        mode,
        events: events.map(({attributes, data}) => ({
          attributes,
          data: data?.toString('base64') ?? null,
        })),
      });
      const headers = Object.entries(said.headers ?? {});
      return {
        headers: Object.fromEntries(
          binding === 'http'
            ? headers.map(([name, value]) => [name.toLowerCase(), value])
            : headers,
        ),
        body: decoded(said.body),
        key: said.key ?? undefined,
      };
    },
  };
};

const decoded = (text: string | null | undefined) =>
  text === null || text === undefined ? undefined : Buffer.from(text, 'base64');

/** Our event in the words of the programs. */
export const plainOf = ({data, ...attributes}: Event): Plain => ({
  attributes,
  data: data === undefined || Buffer.isBuffer(data) ? data : Buffer.from(bytesOf(data, attributes)),
});

const bytesOf = (data: unknown, {datacontenttype}: Record<string, unknown>) =>
  typeof data === 'string' && datacontenttype === 'text/plain' ? data : JSON.stringify(data);

/** What two readers of one event must agree on: the texts of its attributes, and its data as JSON or as bytes. */
export const meaningOf = ({attributes, data}: Plain) => ({
  attributes: Object.fromEntries(
    Object.entries(attributes).map(([name, value]) => [name, String(value)]),
  ),
  data: isJson(attributes.datacontenttype) && data !== undefined ? parsed(data) : hex(data),
});

const isJson = (contentType: unknown) =>
  contentType === undefined || String(contentType).includes('json');
const hex = (data: Buffer | undefined) => (data?.length ? data.toString('hex') : undefined);
const parsed = (data: Buffer): unknown =>
  data.length === 0 ? undefined : JSON.parse(data.toString('utf8'));
