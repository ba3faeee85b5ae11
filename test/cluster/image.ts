/**
Image: lays out the files of an image that runs the functions from their sources, without a container tool: the `node` that runs this
with the libraries it is linked with, the packages of production, `events/`, `functions/` and `schemas/`.

In: `node test/cluster/image.ts FOLDER`, on Linux; the folder is new or empty. Out: the root of the image, and on stdout what its
configuration has to say. The sources of the working tree are copied as they are.
*/
import {execFileSync} from 'node:child_process';
import {chmodSync, cpSync, mkdirSync, readdirSync, realpathSync} from 'node:fs';
import {dirname, join} from 'node:path';
import {fileURLToPath} from 'node:url';

const tree = fileURLToPath(new URL('../..', import.meta.url));

export const configuration = {
  entrypoint: ['/usr/local/bin/node', '/app/functions/main.ts'],
  workingDirectory: '/app',
  // A number, or the kubelet cannot tell that it is not root.
  user: '65532',
};

/** The loader and every library, at the places where the program looks for them. */
const librariesOf = (program: string): readonly string[] => [
  ...new Set(
    [...execFileSync('ldd', [program], {encoding: 'utf8'}).matchAll(/(\/\S+) \(0x/g)].map(
      ([, path]) => path as string,
    ),
  ),
];

const copyProgram = (root: string) => {
  for (const library of librariesOf(process.execPath)) {
    mkdirSync(join(root, dirname(library)), {recursive: true});
    cpSync(realpathSync(library), join(root, library));
  }
  mkdirSync(join(root, 'usr/local/bin'), {recursive: true});
  cpSync(realpathSync(process.execPath), join(root, 'usr/local/bin/node'));
};

const copySources = (app: string) => {
  for (const part of ['package.json', 'package-lock.json', 'events', 'functions', 'schemas']) {
    cpSync(join(tree, part), join(app, part), {recursive: true});
  }
};

const installPackages = (app: string) => {
  execFileSync(
    'npm',
    ['ci', '--omit=dev', '--omit=optional', '--ignore-scripts', '--prefer-offline', '--no-audit'],
    {cwd: app, stdio: ['ignore', 'ignore', 'inherit']},
  );
};

export const layOut = (root: string) => {
  mkdirSync(root, {recursive: true});
  if (readdirSync(root).length > 0) {
    throw new Error(`expected an empty folder, ${root} is not`);
  }
  const app = join(root, 'app');
  mkdirSync(app);
  copyProgram(root);
  copySources(app);
  installPackages(app);
  mkdirSync(join(root, 'tmp'));
  chmodSync(join(root, 'tmp'), 0o1777);
};

if (process.argv[1] === fileURLToPath(import.meta.url)) {
  const root = process.argv[2];
  if (root === undefined) {
    process.stderr.write('expected the folder to lay the image out in\n');
    process.exit(2);
  }
  layOut(root);
  process.stdout.write(`${JSON.stringify(configuration)}\n`);
}
