/**
App: the layer of this release: the bundles, what they read, the compile cache, the list of what is in it and the licences.

In: the tree, a folder to work in. Out: the entries of the layer, all below `/app`.
*/
import {mkdirSync, readdirSync, readFileSync, writeFileSync} from 'node:fs';
import {join, relative} from 'node:path';
import {parse} from 'yaml';
import {withFolders} from './base.ts';
import {bundle} from './bundle.ts';
import {licencesOf} from './licences.ts';
import {packagesOf, sbomOf} from './sbom.ts';
import type {Entry} from './tar.ts';
import {warm} from './warm.ts';

/** Where what is read at run time lies: schemas, migrations, scripts for Redis. */
const dataFolders = ['events', 'functions', 'schemas/events', 'schemas/http', 'schemas/sql'];
const isData = (file: string) => /\.(json|yaml|sql|lua)$/.test(file);

const filesIn = (folder: string): readonly string[] =>
  readdirSync(folder, {withFileTypes: true, recursive: true})
    .filter(entry => entry.isFile())
    .map(entry => join(entry.parentPath, entry.name))
    .sort();

export const dataFiles = (tree: string): readonly string[] =>
  dataFolders
    .flatMap(folder => filesIn(join(tree, folder)))
    .filter(isData)
    .map(file => relative(tree, file));

const copyInto = (app: string, tree: string, file: string) => {
  const content = readFileSync(join(tree, file), 'utf8');
  mkdirSync(join(app, file, '..'), {recursive: true});
  // JSON is YAML, and is read in a hundredth of the time.
  writeFileSync(join(app, file), file.endsWith('.yaml') ? JSON.stringify(parse(content)) : content);
};

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
