/**
LiteLLM: its proxy at a pinned version, without a database: one worker, a master key, one model.

In: a folder, the model server. Out: the peer, and the headers of a request.
*/
import {randomBytes} from 'node:crypto';
import {mkdir, writeFile} from 'node:fs/promises';
import {join} from 'node:path';
import {fileURLToPath} from 'node:url';
import {execute, type Installing, makeOnce, NotInstalled, tailOf} from '../../runner/install.ts';
import {startPeer} from './peer.ts';

export const version = '1.102.4';
const cache = fileURLToPath(new URL('../../../node_modules/.cache/sluice', import.meta.url));
const advice =
  'install Python 3.10 or later with its module venv (Debian: `apt-get install python3-venv`)';

const install = async ({log = () => {}, signal}: Installing): Promise<string> => {
  const folder = join(cache, `litellm-${version}`);
  await makeOnce(folder, async draft => {
    log(`installing litellm[proxy] ${version} (pip) …`);
    const run = async (command: string, ...args: string[]) => {
      const {code, output} = await execute(command, args, {signal});
      if (code !== 0) {
        throw new NotInstalled(
          `LiteLLM ${version} could not be installed; ${advice}\n${tailOf(output)}`,
        );
      }
    };
    await run('python3', '-m', 'venv', draft);
    await run(
      join(draft, 'bin/python'),
      '-m',
      'pip',
      'install',
      '-q',
      `litellm[proxy]==${version}`,
    );
  });
  return join(folder, 'bin/python');
};

const configuration = (model: string, modelUrl: string) => `
model_list:
  - model_name: ${model}
    litellm_params:
      model: openai/${model}
      api_base: ${modelUrl}/v1
      api_key: nobody-asks
`;

export const startLitellm = async (
  {folder, model, modelUrl}: {folder: string; model: string; modelUrl: string},
  installing: Installing,
) => {
  const command = await install(installing);
  await mkdir(folder, {recursive: true});
  const file = join(folder, 'config.yaml');
  await writeFile(file, configuration(model, modelUrl));
  const masterKey = `sk-${randomBytes(24).toString('hex')}`;
  const peer = await startPeer({
    name: 'LiteLLM',
    folder,
    command,
    // A folder of the cache was made under another name, which its scripts still bear: hence the module.
    argumentsAt: port => [
      '-m',
      'litellm.proxy.proxy_cli',
      '--config',
      file,
      '--host',
      '127.0.0.1',
      '--port',
      String(port),
      '--num_workers',
      '1',
    ],
    environment: {
      LITELLM_MASTER_KEY: masterKey,
      // Else it asks for prices from outside when it starts.
      LITELLM_LOCAL_MODEL_COST_MAP: 'True',
      LITELLM_LOG: 'ERROR',
    },
  });
  return {...peer, headers: {authorization: `Bearer ${masterKey}`}};
};
