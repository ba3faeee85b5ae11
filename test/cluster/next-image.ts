/**
Next image: the next release as far as the database sees it: this tree's image with one more migration.

In: its name, the migration's file name and statements. Out: it is where the cluster's nodes find it.
*/
import {mkdtemp, rm, writeFile} from 'node:fs/promises';
import {tmpdir} from 'node:os';
import {join} from 'node:path';
import {fileURLToPath} from 'node:url';
import {appLayer, layOut} from '../../knative/image/app.ts';
import {writeArchive} from '../../knative/image/archive.ts';
import {baseLayer} from '../../knative/image/base.ts';
import {configurationOf} from '../../knative/image/image.ts';
import {loadImage} from './cluster-image.ts';

const tree = fileURLToPath(new URL('../..', import.meta.url));
const version = '999.0.0';

export const loadNextImage = async (
  kubeconfig: string,
  {name, migration}: {name: string; migration: Readonly<{file: string; sql: string}>},
) => {
  const work = await mkdtemp(join(tmpdir(), 'sluice-next-'));
  try {
    const app = join(work, 'app');
    await layOut({tree, app, version});
    await writeFile(join(app, 'schemas', 'sql', migration.file), migration.sql);
    await loadImage(kubeconfig, async archive => {
      writeArchive({
        file: archive,
        name,
        layers: {base: baseLayer(process.execPath), app: appLayer(app)},
        configuration: configurationOf({version}),
      });
    });
  } finally {
    await rm(work, {recursive: true, force: true});
  }
};
