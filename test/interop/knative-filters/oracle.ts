/**
Oracle: Knative's own filters as a process that is asked, one question a line.

In: the Go module beside this file, built once for each state of its sources. Out: `ask`, which gives its answer as text, and
`close`. The first build compiles the client of Kubernetes too and takes minutes.
*/
import {spawn} from 'node:child_process';
import {createHash} from 'node:crypto';
import {once} from 'node:events';
import {readFile} from 'node:fs/promises';
import {join} from 'node:path';
import {createInterface} from 'node:readline';
import {fileURLToPath} from 'node:url';
import {execute, makeOnce, NotInstalled, tailOf} from '../../runner/install.ts';
import {findGo} from '../../runner/languages.ts';

export type Oracle = Readonly<{
  ask(question: object): Promise<string>;
  close(): Promise<void>;
}>;

const sources = fileURLToPath(new URL('.', import.meta.url));
const cache = fileURLToPath(new URL('../../../node_modules/.cache/sluice', import.meta.url));

const keyOf = async () => {
  const hash = createHash('sha256');
  for (const name of ['go.mod', 'go.sum', 'main.go']) {
    hash.update(await readFile(join(sources, name)));
  }
  return hash.digest('hex').slice(0, 12);
};

const build = async (): Promise<string> => {
  const folder = join(cache, `knative-filters-${await keyOf()}`);
  await makeOnce(folder, async draft => {
    const go = await findGo();
    const output = join(draft, 'oracle');
    const built = await execute(go, ['build', '-C', sources, '-o', output, '.'], {
      environment: {GOFLAGS: '-mod=readonly -buildvcs=false'},
    });
    if (built.code !== 0) {
      throw new NotInstalled(`go could not build ${sources}:\n${tailOf(built.output)}`);
    }
  });
  return join(folder, 'oracle');
};

export const startOracle = async (): Promise<Oracle> => {
  const child = spawn(await build(), {stdio: ['pipe', 'pipe', 'inherit']});
  const waiting: {resolve: (answer: string) => void; reject: (error: Error) => void}[] = [];
  let gone: Error | undefined;
  const ended = once(child, 'close').then(([code]) => {
    gone = new Error(`the oracle ended with status ${code} and left a question`);
    for (const {reject} of waiting.splice(0)) {
      reject(gone);
    }
  });
  // A pipe that breaks is told by the end of the process.
  child.stdin.on('error', () => {});
  createInterface({input: child.stdout}).on('line', line => waiting.shift()?.resolve(line));
  return {
    ask(question) {
      return new Promise((resolve, reject) => {
        if (gone) {
          reject(gone);
          return;
        }
        waiting.push({resolve, reject});
        child.stdin.write(`${JSON.stringify(question)}\n`);
      });
    },
    async close() {
      child.stdin.end();
      await ended;
    },
  };
};
