/**
Image: what will be `/app` of the image, laid out in a folder of the test's own, and its programs run there.

In: which programs. Out: the folder, the files in its bundles, and `run`, which ends when the program does.
*/
import {spawn} from 'node:child_process';
import {once} from 'node:events';
import {mkdtempSync, rmSync} from 'node:fs';
import {tmpdir} from 'node:os';
import {join} from 'node:path';
import {fileURLToPath} from 'node:url';
import {layOut} from '../../knative/image/app.ts';

export const tree = fileURLToPath(new URL('../..', import.meta.url));

export type LaidOut = Readonly<{app: string; inputs: readonly string[]; remove(): void}>;

export const layOutImage = async (only?: readonly string[]): Promise<LaidOut> => {
  const app = join(mkdtempSync(join(tmpdir(), 'sluice-image-test-')), 'app');
  const inputs = await layOut({
    tree,
    app,
    version: '1.2.3',
    ...(only === undefined ? {} : {only}),
  });
  return {app, inputs, remove: () => rmSync(join(app, '..'), {recursive: true, force: true})};
};

export const startProgram = (
  app: string,
  args: readonly string[],
  environment: Readonly<Record<string, string>> = {},
) => {
  const child = spawn(process.execPath, [join(app, 'bundle/main.cjs'), ...args], {
    // Nothing of the tree's is found from there.
    cwd: app,
    env: {PATH: process.env.PATH, ...environment},
    stdio: ['ignore', 'pipe', 'pipe'],
  });
  let log = '';
  for (const stream of [child.stdout, child.stderr]) {
    stream.setEncoding('utf8').on('data', text => {
      log += text;
    });
  }
  const ended = once(child, 'close').then(([code]) => ({code: code as number | null, log}));
  return {child, ended, log: () => log};
};
