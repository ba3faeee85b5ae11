/**
Whole admin: all of `/admin/v1`, of the four functions that answer it, on one server and database.

In: the test. Out: what an admin server gives, and a way to fake what model servers say.
*/
import type {ExecutionContext} from 'ava';
import {createDirectory} from '../../events/access/directory.ts';
import {createGuard} from '../../events/access/guard.ts';
import {createPool} from '../../events/database.ts';
import {createLetters} from '../../functions/deadletter/letters.ts';
import {deadLetterRoutes} from '../../functions/deadletter/routes.ts';
import {createRegistry} from '../../functions/registry/registry.ts';
import {registryRoutes} from '../../functions/registry/routes.ts';
import {createPostgresStore as createRegistryStore} from '../../functions/registry/store-postgres.ts';
import {usageRoutes} from '../../functions/usage/routes.ts';
import {createPostgresStore as createUsageStore} from '../../functions/usage/store-postgres.ts';
import {createLook} from '../../functions/usage/verify/look.ts';
import {readAtOnce} from '../../functions/usage/verify/reading.ts';
import {verifyRoutes} from '../../functions/usage/verify/routes.ts';
import {createVerify} from '../../functions/usage/verify/verify.ts';
import {adminKey, startAdmin} from './admin-server.ts';
import {createFakeProbe} from './registry.ts';

export const startWholeAdmin = async (t: ExecutionContext) => {
  const {probe, findings} = createFakeProbe();
  const admin = await startAdmin(t, {
    more: database => {
      const pool = createPool({
        databaseUrl: database.url('system'),
        name: 'whole',
        connectTimeoutMs: 60_000,
      });
      t.teardown(() => pool.end());
      const guard = createGuard({adminKey, directory: createDirectory(pool)});
      return router => {
        registryRoutes({
          registry: createRegistry({store: createRegistryStore(pool), probe}),
          guard,
        })(router);
        deadLetterRoutes({letters: createLetters({pool}), receive: async () => {}, guard})(router);
        usageRoutes({store: createUsageStore(pool), guard})(router);
        verifyRoutes({
          verify: createVerify({look: createLook({pool}), readAtOnce: readAtOnce(pool)}),
          guard,
        })(router);
      };
    },
  });
  return {...admin, findings};
};
