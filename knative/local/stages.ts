/**
Stages: the steps of a start that begin something, each with what undoes it.

In: what the steps before it made. Out: what the next ones need. Whatever a step begins is in `parts` before it waits for it,
so that a start that fails or is given up leaves nothing behind.
*/
import {createServer, type RequestListener} from 'node:http';
import type {AddressInfo} from 'node:net';
import {join} from 'node:path';
import {fileURLToPath} from 'node:url';
import {installPostgresBroker} from '../../events/brokers/postgres.ts';
import {createPool} from '../../events/database.ts';
import {limits} from '../../events/limits.ts';
import type {Logger} from '../../events/telemetry.ts';
import type {Gate} from './activator/gate.ts';
import {createGates, type Enter} from './activator/gates.ts';
import {drainEvents} from './eventing/drain-events.ts';
import {startEventing} from './eventing/eventing.ts';
import type {Ingress} from './front-door/ingress.ts';
import {environmentFor, pick, programOf, systemEnvironment} from './functions.ts';
import type {Options} from './options.ts';
import {type Parts, settleAll} from './parts.ts';
import type {Plan} from './plan/plan.ts';
import {prepareDatabase} from './postgres/database.ts';
import {startPostgres} from './postgres/postgres.ts';
import {watchPostgres} from './postgres/watch.ts';
import {startChild} from './processes.ts';
import type {Role, State} from './state.ts';

export type Start = Readonly<{
  options: Options;
  environment: Readonly<Record<string, string | undefined>>;
  parts: Parts;
  /** Aborted when the person does not want to wait for the start any more. */
  signal: AbortSignal;
  /** One line for the person. */
  say: (line: string) => void;
  /** A line that a function wrote. */
  onLine: (name: string, line: string) => void;
  logger: Logger;
  /** Something that nothing here can do without is gone for good. */
  onLost: (error: Error) => void;
}>;

/** A request may take 600 s, and is given the time to be accounted for. */
const gatewayDrainMs = limits.drainMs + 20_000;
const functionDrainMs = 35_000;
const modelProgram = fileURLToPath(new URL('./simulated-model/main.ts', import.meta.url));

const compileCacheOf = (state: State) => join(state.folder, 'compile-cache');

/** Resolves with how to reach the database in each role. */
export const startDatabase = async ({parts, say, onLost}: Start, state: State) => {
  const {superuserPassword: password} = state.secrets;
  const directory = join(state.folder, 'postgres');
  const postgres = await startPostgres({directory, password, takeover: true, log: say});
  parts.add({name: 'PostgreSQL', stop: postgres.stop});
  const watch = watchPostgres({...postgres, onNote: say, onLost});
  parts.add({name: 'the watch on PostgreSQL', stop: watch.close});
  const {superuserUrl} = postgres;
  const {urlOf} = await prepareDatabase({superuserUrl, secrets: state.secrets});
  await installPostgresBroker({databaseUrl: urlOf('sluice_owner')});
  return urlOf;
};

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

/** Where functions post events to a Broker. A port of its own, which only this machine reaches. */
export const openBrokerPort = async (parts: Parts) => {
  let handler: RequestListener = (_request, response) => response.writeHead(503).end();
  const server = createServer((request, response) => handler(request, response));
  await new Promise<void>((resolve, reject) => {
    server.once('error', reject);
    server.listen(0, '127.0.0.1', resolve);
  });
  parts.add({
    name: 'the port of the brokers',
    stop: () => {
      server.close();
      server.closeAllConnections();
    },
  });
  return {
    url: `http://127.0.0.1:${(server.address() as AddressInfo).port}/sluice/default`,
    handle: (listener: RequestListener) => {
      handler = listener;
    },
  };
};

/** All at once; resolves when every one listens. */
export const startFunctions = async ({
  start,
  plan,
  state,
  urlOfRole,
  brokerUrl,
}: {
  start: Start;
  plan: Plan;
  state: State;
  urlOfRole: (role: Role) => string;
  brokerUrl: string;
}): Promise<ReadonlyMap<string, Gate>> => {
  const secrets = {
    'tenant-database-url': urlOfRole('sluice_tenant'),
    'gateway-database-url': urlOfRole('sluice_gateway'),
    'gateway-database-url-direct': urlOfRole('sluice_gateway'),
    'system-database-url': urlOfRole('sluice_system'),
    'source-token': state.secrets.sourceToken,
    'admin-key': state.secrets.adminKey,
  };
  const {environment, onLine, say} = start;
  const compileCache = compileCacheOf(state);
  const environments = new Map(
    plan.functions.map(one => [
      one.name,
      environmentFor({plan: one, environment, secrets, compileCache, brokerUrl}),
    ]),
  );
  const {scaleToZeroSeconds} = start.options;
  const gates = createGates({
    plans: plan.functions,
    scaleToZeroMs: scaleToZeroSeconds === undefined ? undefined : scaleToZeroSeconds * 1_000,
    restMsOf: ({name}) => (name === 'gateway' ? gatewayDrainMs : functionDrainMs),
    startChild: (one, hooks) =>
      startChild({
        name: one.name,
        program: programOf(one),
        env: environments.get(one.name) ?? {},
        onLine,
        onNote: say,
        ...hooks,
      }),
  });
  const all = [...gates.values()];
  start.parts.add({
    name: 'the functions',
    stop: async () => {
      await settleAll(all.map(gate => gate.stop(functionDrainMs)));
    },
    kill: () => {
      for (const gate of all) {
        gate.kill();
      }
    },
  });
  await abortable(settleAll(all.map(gate => gate.ready)), start.signal);
  return gates;
};

/** Relay and deliveries. Ends when what was written is handled, or its time is up: the rest waits for the next start. */
export const startEvents = async ({
  start,
  plan,
  state,
  databaseUrl,
  enter,
}: {
  start: Start;
  plan: Plan;
  state: State;
  databaseUrl: string;
  enter: Enter;
}) => {
  const {parts, logger} = start;
  const onError = (error: Error) => logger.warn({err: error}, 'a database connection broke');
  const system = createPool({databaseUrl, name: 'eventing', connectionsMax: 10, onError});
  parts.add({name: 'the connections of eventing', stop: () => system.end()});
  const {sourceToken} = state.secrets;
  const eventing = await startEventing({plan, pools: {system}, enter, sourceToken, logger});
  const hurry = new AbortController();
  parts.add({
    name: 'eventing',
    stop: async () => {
      try {
        await drainEvents({stats: eventing.stats, pool: system, signal: hurry.signal});
      } finally {
        await eventing.close();
      }
    },
    kill: () => hurry.abort(),
  });
  return eventing;
};

/** The first step of the end: no new request, and the gateway sees its running ones through. */
export const endRequests = ({
  parts,
  ingress,
  gateway,
}: {
  parts: Parts;
  ingress: Ingress;
  gateway: Gate | undefined;
}) => {
  parts.add({
    name: 'the requests',
    stop: async () => {
      await settleAll([ingress.drain(), gateway?.stop(gatewayDrainMs) ?? Promise.resolve()]);
    },
    kill: ingress.close,
  });
};

/** Gives up waiting, not what is waited for: that is in `parts`. */
const abortable = async <Value>(promise: Promise<Value>, signal: AbortSignal): Promise<Value> => {
  const aborted = Promise.withResolvers<never>();
  const abort = () => aborted.reject(signal.reason);
  signal.addEventListener('abort', abort, {once: true});
  try {
    signal.throwIfAborted();
    return await Promise.race([promise, aborted.promise]);
  } finally {
    signal.removeEventListener('abort', abort);
    promise.catch(() => {});
  }
};
