/** Runner: the data plane of the local runner, on a PostgreSQL of the test's own. */
import type {ExecutionContext} from 'ava';
import pg from 'pg';
import {installPostgresBroker} from '../../events/brokers/postgres/broker.ts';
import {createLogger} from '../../events/telemetry.ts';
import {startEventing} from '../../knative/local/eventing/eventing.ts';
import {parseManifests} from '../../knative/local/plan/manifests.ts';
import {makePlan} from '../../knative/local/plan/plan.ts';
import {createTestDatabase} from '../helpers/database.ts';
import {enterAt} from '../helpers/gates.ts';
import {createHttpTestServer} from '../helpers/http.ts';
import type {Carrier} from './plane.ts';

export type Runner = Carrier &
  Readonly<{
    /** Ends as the runner ends: deliveries in flight have `drainMs`. */
    stop(): Promise<void>;
    /** On the same PostgreSQL, behind the same URL. */
    startAgain(): Promise<void>;
  }>;

export const openRunner = async (
  t: ExecutionContext,
  {drainMs}: {drainMs?: number} = {},
): Promise<Runner> => {
  const database = await createTestDatabase(t);
  await installPostgresBroker({databaseUrl: database.url('owner')});
  const pool = new pg.Pool({connectionString: database.url('system'), max: 10});
  pool.on('error', () => {});
  let stop = async () => {};
  let startAgain = async () => {};
  return {
    kind: 'runner',
    namespace: 'dataplane',
    host: '127.0.0.1',
    async apply(manifests) {
      const plan = makePlan(parseManifests([{file: 'test.yaml', text: manifests}]));
      const start = () =>
        startEventing({
          plan,
          pools: {system: pool},
          enter: enterAt(() => undefined),
          brokersUrl: 'http://127.0.0.1:1',
          sourceToken: 'none of these is asked for it',
          logger: createLogger({name: 'dataplane', level: 'silent'}),
          ...(drainMs === undefined ? {} : {drainMs}),
        });
      let eventing = await start();
      t.teardown(async () => {
        await eventing.close();
        await pool.end();
      });
      stop = () => eventing.close();
      startAgain = async () => {
        eventing = await start();
      };
      const ingress = await createHttpTestServer(t, (request, response) =>
        eventing.brokerIngress(request, response),
      );
      return `${ingress.url}/dataplane/default`;
    },
    stop: () => stop(),
    startAgain: () => startAgain(),
  };
};
