/**
App: the layer of this release: the bundles, what they read, the compile cache, the list of what is in it and the licences.

In: the tree, a folder to work in. Out: the entries of the layer, all below `/app`. What else lies in the tree, a note with passwords for
one, stays out.
*/
import {spawnSync} from 'node:child_process';
import {existsSync, mkdirSync, readdirSync, readFileSync, writeFileSync} from 'node:fs';
import {join, relative} from 'node:path';
import {parse} from 'yaml';
import {withFolders} from './base.ts';
import {bundle} from './bundle.ts';
import {licencesOf} from './licences.ts';
import {packagesOf, sbomOf} from './sbom.ts';
import type {Entry} from './tar.ts';
import {warm} from './warm.ts';

/** What is read at run time: schemas, the contract, migrations, scripts for Redis. */
const data: Readonly<Record<string, RegExp>> = {
  functions: /^functions\/[a-z/-]+\.lua$/,
  'schemas/events': /^schemas\/events\/[a-z.]+\.v\d+\.json$/,
  'schemas/http': /^schemas\/http\/[a-z-]+\.yaml$/,
  'schemas/sql': /^schemas\/sql\/\d{4}-[a-z-]+\.sql$/,
};

const filesIn = (folder: string): readonly string[] =>
  readdirSync(folder, {withFileTypes: true, recursive: true})
    .filter(entry => entry.isFile())
    .map(entry => join(entry.parentPath, entry.name))
    .sort();

/** Undefined where there is no git, or the tree is no checkout: what was unpacked from a release, the build of the Dockerfile. */
const tracked = (tree: string): ReadonlySet<string> | undefined => {
  if (!existsSync(join(tree, '.git'))) {
    return undefined;
  }
  const {status, stdout} = spawnSync('git', ['-C', tree, 'ls-files', '-z'], {
    encoding: 'utf8',
    maxBuffer: 64 * 1024 * 1024,
  });
  return status === 0 ? new Set(stdout.split('\0')) : undefined;
};

/** Also in a checkout a file that git does not know stays out: `git add` a new one. */
export const dataFiles = (tree: string): readonly string[] => {
  const known = tracked(tree);
  return Object.entries(data).flatMap(([folder, pattern]) =>
    filesIn(join(tree, folder))
      .map(file => relative(tree, file))
      .filter(file => pattern.test(file) && (known === undefined || known.has(file))),
  );
};

const copyInto = (app: string, tree: string, file: string) => {
  const content = readFileSync(join(tree, file), 'utf8');
  mkdirSync(join(app, file, '..'), {recursive: true});
  // JSON is YAML, and is read in a hundredth of the time.
  writeFileSync(join(app, file), file.endsWith('.yaml') ? JSON.stringify(parse(content)) : content);
};

/** What the first file of the image reads: which of the files beside it are programs, and no parts of some. */
const programsName = 'bundle/programs.json';

/** Where the list of what is in the image lies, below `/app`. */
export const listName = 'sbom.cdx.json';

/** Lays out `/app` in a folder; out: the files of the tree that are in its bundles. */
export const layOut = async ({
  tree,
  app,
  version,
  only,
}: {
  tree: string;
  app: string;
  version: string;
  /** Names of programs; all of them unless said. */
  only?: readonly string[];
}): Promise<readonly string[]> => {
  for (const file of dataFiles(tree)) {
    copyInto(app, tree, file);
  }
  writeFileSync(
    join(app, 'package.json'),
    `${JSON.stringify({name: 'sluice', version, private: true})}\n`,
  );
  const {inputs, programs} = await bundle({
    tree,
    folder: join(app, 'bundle'),
    ...(only === undefined ? {} : {only}),
  });
  writeFileSync(join(app, programsName), JSON.stringify(programs));
  writeFileSync(join(app, listName), sbomOf({tree, inputs, version}));
  writeFileSync(join(app, 'LICENSES.txt'), licencesOf(tree, packagesOf(inputs)));
  await warm({app, programs});
  return inputs;
};

export const appLayer = (app: string): readonly Entry[] =>
  withFolders(
    filesIn(app).map(from => ({
      path: `app/${relative(app, from)}`,
      mode: 0o644,
      kind: 'file',
      from,
    })),
  );
