/**
Main: `npm run image -- --out FILE.tar`: the one image of all functions, without a container tool.

In: `--out`, the archive to write; `--name NAME:TAG` (dev.local/sluice:VERSION); `--version` (package.json's); `--revision`, the commit, where
the image shall say so. On Linux only, for the processor that this runs on. Out: the archive, the list of what is in it beside it
(`FILE.tar.cdx.json`), and a line of JSON on stdout. Or `--folder FOLDER`: only what will be `/app`, for a tool that makes images itself, as the
Dockerfile does. Exit 2 for arguments that are not as expected.
*/
import {mkdtempSync, readFileSync, rmSync} from 'node:fs';
import {tmpdir} from 'node:os';
import {join} from 'node:path';
import {fileURLToPath} from 'node:url';
import {parseArgs} from 'node:util';
import {layOut} from './app.ts';
import {buildImage} from './image.ts';

const tree = fileURLToPath(new URL('../..', import.meta.url));

const readOptions = () => {
  const {values} = parseArgs({
    options: {
      out: {type: 'string'},
      folder: {type: 'string'},
      name: {type: 'string'},
      version: {type: 'string'},
      revision: {type: 'string'},
    },
  });
  const {version: released} = JSON.parse(readFileSync(join(tree, 'package.json'), 'utf8')) as {
    version: string;
  };
  const {out, folder, version = released, name = `dev.local/sluice:${version}`, revision} = values;
  if ((out === undefined) === (folder === undefined)) {
    throw new TypeError('expected --out FILE.tar, or --folder FOLDER');
  }
  if (!/^[a-z0-9]([a-z0-9._/:-]*[a-z0-9])?:[\w][\w.-]{0,127}$/.test(name)) {
    throw new TypeError(`expected --name NAME:TAG, got "${name}"`);
  }
  return {out, folder, version, name, ...(revision === undefined ? {} : {revision})};
};

const main = async () => {
  const {out, folder, ...options} = readOptions();
  if (out === undefined) {
    await layOut({tree, app: folder as string, version: options.version});
    return;
  }
  const work = mkdtempSync(join(tmpdir(), 'sluice-image-'));
  try {
    const made = await buildImage({tree, work, out, ...options});
    process.stdout.write(`${JSON.stringify(made)}\n`);
  } finally {
    rmSync(work, {recursive: true, force: true});
  }
};

try {
  await main();
} catch (error) {
  if (!(error instanceof TypeError)) {
    throw error;
  }
  process.stderr.write(`${error.message}\n`);
  process.exitCode = 2;
}
