/** Functions: every function of the plan as a process behind its gate; stage of a start. */
import {hash} from 'node:crypto';
import type {Role} from '../../../schemas/sql/roles.ts';
import type {Gate} from '../activator/gate.ts';
import {createGates} from '../activator/gates.ts';
import {environmentFor, programOf, type SecretValues} from '../functions.ts';
import {settleAll} from '../parts.ts';
import type {Plan, Sink} from '../plan/plan.ts';
import {startChild} from '../processes.ts';
import type {State} from '../state.ts';
import type {Services} from './services.ts';
import {abortable, compileCacheOf, functionDrainMs, gatewayDrainMs, type Start} from './start.ts';

/**
The Secret `sluice`, as a cluster has it. What is not configured is left out. `publicUrl`: where browsers reach the front door.
*/
export const secretsOf = (
  {secrets: {sourceToken, adminKey}}: Pick<State, 'secrets'>,
  urlOfRole: (role: Role) => string,
  {
    kafkaBrokers,
    redisUrl,
    kafkaUsername,
    kafkaPassword,
    kafkaMechanism,
    kafkaTls,
    resultsKey,
    corsOrigins,
  }: Services['texts'],
  publicUrl?: string,
): SecretValues =>
  Object.fromEntries(
    Object.entries({
      'tenant-database-url': urlOfRole('sluice_tenant'),
      'gateway-database-url': urlOfRole('sluice_gateway'),
      'gateway-database-url-direct': urlOfRole('sluice_gateway'),
      'system-database-url': urlOfRole('sluice_system'),
      'source-token': sourceToken,
      'admin-key': adminKey,
      'public-url': publicUrl,
      'session-secret': hash('sha256', `session ${adminKey} ${sourceToken}`),
      'stamp-key': hash('sha256', `stamp ${adminKey} ${sourceToken}`),
      'kafka-brokers': kafkaBrokers,
      'kafka-username': kafkaUsername,
      'kafka-password': kafkaPassword,
      'kafka-mechanism': kafkaMechanism,
      'kafka-tls': kafkaTls,
      'redis-url': redisUrl,
      'results-key': resultsKey,
      'cors-origins': corsOrigins,
    }).filter((entry): entry is [string, string] => entry[1] !== undefined),
  );

/** All at once; resolves when every one listens. */
export const startFunctions = async ({
  start,
  plan,
  state,
  urlOfSink,
  secrets,
}: {
  start: Start;
  plan: Plan;
  state: State;
  /** Where a SinkBinding leads. */
  urlOfSink: (sink: Sink) => string;
  secrets: SecretValues;
}): Promise<ReadonlyMap<string, Gate>> => {
  const {environment, onLine, say} = start;
  const compileCache = compileCacheOf(state);
  const environments = new Map(
    plan.functions.map(one => [
      one.name,
      environmentFor({plan: one, environment, secrets, compileCache, urlOfSink}),
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
