/**
Direct: the registry for who has the database and no function that runs: `sluice registry --database-url` starts it for one command.

The same routes, checks, probes and transactions as the function's. Who asks is the role of the database, and the audit says so. It
listens on this machine only, for whoever has the key that it was started with, and ends with who started it.
*/
import {timingSafeEqual} from 'node:crypto';
import type {NextFunction, Request, Response} from 'express';
import type {Access} from '../../../events/access/access.ts';
import {matchOperation} from '../../../events/access/guard.ts';
import {databaseUrl, port, readConfig, secret, string} from '../../../events/config.ts';
import {createPool} from '../../../events/database.ts';
import {SluiceError} from '../../../events/errors.ts';
import {runMain} from '../../../events/listen.ts';
import {serve} from '../../../events/serve.ts';
import {createLogger} from '../../../events/telemetry.ts';
import {createProbe} from '../probe.ts';
import {createRegistry} from '../registry.ts';
import {registryRoutes} from '../routes.ts';
import {createPostgresStore} from '../store-postgres.ts';

const guardFor = (key: string, role: string) => {
  const expected = Buffer.from(`Bearer ${key}`);
  return (request: Request, response: Response, next: NextFunction) => {
    const given = Buffer.from(request.headers.authorization ?? '');
    if (given.length !== expected.length || !timingSafeEqual(given, expected)) {
      throw new SluiceError('unauthorized', 'expected the key that this was started with');
    }
    const path = request.baseUrl + request.path;
    const access: Access = {
      actor: {kind: 'database', id: role, name: role, isOperator: true, grants: []},
      operation:
        matchOperation(request.method, path)?.operation.operation ?? `${request.method} ${path}`,
    };
    response.locals.access = access;
    next();
  };
};

await runMain(async () => {
  const settings = readConfig(process.env, {
    PORT: port,
    DATABASE_URL: databaseUrl,
    ADMIN_KEY: secret(),
    LOG_LEVEL: string('silent'),
  });
  const pool = createPool({databaseUrl: settings.DATABASE_URL, name: 'registry-direct'});
  const {rows} = await pool.query<{role: string}>('select current_user as role');
  const guard = guardFor(settings.ADMIN_KEY, rows[0]?.role as string);
  const registry = createRegistry({store: createPostgresStore(pool), probe: createProbe()});
  await serve({
    name: 'registry-direct',
    port: settings.PORT,
    host: '127.0.0.1',
    logger: createLogger({name: 'registry-direct', level: settings.LOG_LEVEL}),
    routes: registryRoutes({registry, guard}),
    onClose: () => pool.end(),
  });
});
