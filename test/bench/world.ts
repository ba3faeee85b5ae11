/**
World: everything that the rows measure, started once: the stores, model servers, the gateway, what it is compared with.

In: the rows, the gateway's program, Node's arguments for it. Out: the targets by model, the CPU time of each store, and its end. The
gateway is started as it ships, with a database, a topic and a Redis of its own. No function reads its log.
*/
import {closeSync, openSync} from 'node:fs';
import {mkdtemp, readFile, rm} from 'node:fs/promises';
import {tmpdir} from 'node:os';
import {join} from 'node:path';
import {tailOf} from '../runner/install.ts';
import {type Child, startChild} from './child.ts';
import {familyCpuMsOf} from './cpu.ts';
import {type Gauges, readGauges} from './gauges.ts';
import {type ModelName, startModels} from './models.ts';
import {startPeers} from './peers/peers.ts';
import type {Program} from './program.ts';
import {prove} from './proof.ts';
import type {Row} from './rows.ts';
import {seed} from './seed.ts';
import {createStack} from './stack.ts';
import {type Stores, startStores} from './stores.ts';

export type PeerName = 'nginx' | 'portkey' | 'litellm';
export type TargetName = 'direct' | 'bare' | 'gateway' | PeerName;
export type Target = Readonly<{
  url: string;
  headers: Readonly<Record<string, string>>;
  cpuMs(): number;
}>;
export type World = Readonly<{
  /** Undefined: not there; a peer that could not be installed. */
  target(name: TargetName, model: ModelName): Target | undefined;
  gateway: Child;
  /** What the gateway says of itself. */
  gauges(): Promise<Gauges>;
  stores: Stores;
  load: Child;
  stop(): Promise<void>;
}>;

export const startWorld = async ({
  rows,
  program,
  nodeArguments,
  say,
}: {
  rows: readonly Pick<Row, 'model' | 'targets'>[];
  program: Program;
  /** Node's, for the gateway. */
  nodeArguments: readonly string[];
  say: (line: string) => void;
}): Promise<World> => {
  const stack = createStack();
  try {
    const folder = await mkdtemp(join(tmpdir(), 'sluice-bench-'));
    stack.onStop(() => rm(folder, {recursive: true, force: true}));
    const stores = await startStores(stack, {folder, say});
    const served = await startModels(stack, [...new Set(rows.map(({model}) => model))]);
    const apiKey = await seed(
      stores.database,
      Object.fromEntries([...served].map(([name, {model}]) => [name, model.url])),
    );
    const log = openSync(join(folder, 'gateway.log'), 'w');
    stack.onStop(async () => closeSync(log));
    const gateway = await stack.add(
      startChild({
        ...program,
        environment: {PORT: '0', ENVIRONMENT: 'development', ...stores.environment},
        nodeArguments,
        output: log,
      }),
    );
    const peers = await startPeers(stack, {folder, rows, served, say});
    const load = await stack.add(startChild({program: 'test/bench/load.ts'}));
    const headers = {authorization: `Bearer ${apiKey}`};
    const targetOf = ({url, pid}: Child): Target => ({
      url,
      headers,
      cpuMs: () => familyCpuMsOf(pid),
    });
    const measured = targetOf(gateway);
    await prove(measured, rows[0]?.model ?? 'instant').catch(async error => {
      say(tailOf(await readFile(join(folder, 'gateway.log'), 'utf8')));
      throw error;
    });
    return {
      target(name, model) {
        const server = served.get(model);
        if (name === 'gateway') {
          return measured;
        }
        if (name === 'direct' || name === 'bare') {
          return server && targetOf(name === 'bare' ? server.bare : server.model);
        }
        return peers.get(name);
      },
      gateway,
      gauges: () => readGauges(gateway.url),
      stores,
      load,
      stop: stack.stop,
    };
  } catch (error) {
    await stack.stop();
    throw error;
  }
};
