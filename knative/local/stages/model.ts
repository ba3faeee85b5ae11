/** Model: the simulated model server, where no real one was named; stage of a start. */
import {createServer} from 'node:http';
import type {AddressInfo} from 'node:net';
import {fileURLToPath} from 'node:url';
import {pick, systemEnvironment} from '../functions.ts';
import {startChild} from '../processes.ts';
import type {State} from '../state.ts';
import {abortable, compileCacheOf, type Start} from './start.ts';

const modelProgram = fileURLToPath(new URL('../simulated-model/main.ts', import.meta.url));

/**
The simulated model server. Resolves with its URL, which is the same at every start while its port is free: the registry
remembers it.
*/
export const startModel = async (start: Start, state: State): Promise<string> => {
  const known = await state.read<{port: number}>('simulated-model.json');
  const port = await freePort(known?.port ?? 0);
  await state.write('simulated-model.json', {port});
  const child = startChild({
    name: 'simulated-model',
    program: modelProgram,
    env: {
      FIRST_TOKEN_DELAY_MS: '100',
      TOKEN_DELAY_MS: '10',
      ...systemEnvironment(start.environment, compileCacheOf(state)),
      ...pick(start.environment, [
        'MODELS',
        'FIRST_TOKEN_DELAY_MS',
        'TOKEN_DELAY_MS',
        'DEFAULT_TOKENS',
        'USAGE',
      ]),
      PORT: String(port),
    },
    onLine: () => {},
    onNote: start.say,
  });
  start.parts.add({name: child.name, stop: () => child.stop(2_000), kill: child.kill});
  await abortable(child.ready, start.signal);
  return `http://127.0.0.1:${port}`;
};

/** The wanted port, or any when it is taken. */
const freePort = (wanted: number): Promise<number> =>
  new Promise((resolve, reject) => {
    const probe = createServer();
    probe.once('error', error => (wanted === 0 ? reject(error) : resolve(freePort(0))));
    probe.listen(wanted, '127.0.0.1', () => {
      const {port} = probe.address() as AddressInfo;
      probe.close(() => resolve(port));
    });
  });
