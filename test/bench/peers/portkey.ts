/**
Portkey: the open gateway of Portkey at a pinned version, as its package starts it: one process of Node, the one of the bench.

In: a folder, the model server. Out: the peer, and the headers by which a request says where it goes.
*/
import {mkdir, writeFile} from 'node:fs/promises';
import {join} from 'node:path';
import {fileURLToPath} from 'node:url';
import {execute, type Installing, makeOnce, NotInstalled, tailOf} from '../../runner/install.ts';
import {startPeer} from './peer.ts';

export const version = '1.15.2';
/** The last one with which it can stream: later ones hand it headers that it cannot change (its issue 1389). */
const serverVersion = '1.14.1';
const name = '@portkey-ai/gateway';
const manifest = {
  private: true,
  dependencies: {[name]: version},
  overrides: {'@hono/node-server': serverVersion},
};
const cache = fileURLToPath(new URL('../../../node_modules/.cache/sluice', import.meta.url));

const install = async ({log = () => {}, signal}: Installing): Promise<string> => {
  const folder = join(cache, `portkey-${version}-${serverVersion}`);
  await makeOnce(folder, async draft => {
    log(`installing ${name} ${version} (npm) …`);
    await writeFile(join(draft, 'package.json'), JSON.stringify(manifest));
    const {code, output} = await execute(
      'npm',
      // Its scripts are for its own development; what it runs from is in the package.
      ['install', '--prefix', draft, '--ignore-scripts', '--no-audit', '--no-fund'],
      {signal},
    );
    if (code !== 0) {
      throw new NotInstalled(`npm could not install ${name} ${version}:\n${tailOf(output)}`);
    }
  });
  return join(folder, 'node_modules', name);
};

export const startPortkey = async (
  {folder, modelUrl}: {folder: string; modelUrl: string},
  installing: Installing,
) => {
  const program = await install(installing);
  await mkdir(folder, {recursive: true});
  const peer = await startPeer({
    name: 'Portkey',
    folder,
    command: process.execPath,
    argumentsAt: port => [join(program, 'build/start-server.js'), `--port=${port}`, '--headless'],
    environment: {NODE_ENV: 'production'},
  });
  return {
    ...peer,
    headers: {
      authorization: 'Bearer nobody-asks',
      'x-portkey-provider': 'openai',
      'x-portkey-custom-host': `${modelUrl}/v1`,
    },
  };
};
