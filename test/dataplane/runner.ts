/** Runner: the data plane of the local runner, on a PostgreSQL of the test's own. */
import type {ExecutionContext} from 'ava';
import pg from 'pg';
import {installPostgresBroker} from '../../events/brokers/postgres.ts';
import {createLogger} from '../../events/telemetry.ts';
import {startEventing} from '../../knative/local/eventing/eventing.ts';
import {parseManifests} from '../../knative/local/plan/manifests.ts';
import {makePlan} from '../../knative/local/plan/plan.ts';
import {createTestDatabase} from '../helpers/database.ts';
import {enterAt} from '../helpers/gates.ts';
import {createHttpTestServer} from '../helpers/http.ts';
import type {Carrier} from './plane.ts';

export const openRunner = async (t: ExecutionContext): Promise<Carrier> => {
  const database = await createTestDatabase(t);
  await installPostgresBroker({databaseUrl: database.url('owner')});
  const pool = new pg.Pool({connectionString: database.url('system'), max: 10});
  pool.on('error', () => {});
  return {
    kind: 'runner',
    namespace: 'dataplane',
    host: '127.0.0.1',
    async apply(manifests) {
      const eventing = await startEventing({
        plan: makePlan(parseManifests([{file: 'test.yaml', text: manifests}])),
        pools: {system: pool},
        enter: enterAt(() => undefined),
        brokersUrl: 'http://127.0.0.1:1',
        sourceToken: 'none of these is asked for it',
        logger: createLogger({name: 'dataplane', level: 'silent'}),
      });
      t.teardown(async () => {
        await eventing.close();
        await pool.end();
      });
      const ingress = await createHttpTestServer(t, eventing.brokerIngress);
      return `${ingress.url}/dataplane/default`;
    },
  };
};
