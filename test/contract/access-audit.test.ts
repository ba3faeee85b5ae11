import test, {type ExecutionContext} from 'ava';
import {createGuard} from '../../events/access/guard.ts';
import {createPool} from '../../events/database.ts';
import {serve} from '../../events/serve.ts';
import {createLogger} from '../../events/telemetry.ts';
import {createRegistry} from '../../functions/registry/registry.ts';
import {registryRoutes} from '../../functions/registry/routes.ts';
import {createPostgresStore} from '../../functions/registry/store-postgres.ts';
import {adminKey} from '../helpers/admin-server.ts';
import {createTestDatabase, type TestDatabase} from '../helpers/database.ts';
import {startDeadletter} from '../helpers/deadletter-server.ts';

type Entry = {
  operation: string;
  subject_kind: string;
  subject: string;
  org_id: string | null;
  actor_id: string;
  before: Record<string, unknown> | null;
  after: Record<string, unknown> | null;
};

const auditIn = async (database: TestDatabase): Promise<Entry[]> =>
  (await database.pool('superuser').query<Entry>('select * from audit order by id')).rows;

const startRegistry = async (t: ExecutionContext) => {
  const database = await createTestDatabase(t);
  const pool = createPool({databaseUrl: database.url('system'), name: 'registry'});
  const registry = createRegistry({
    store: createPostgresStore(pool),
    freshMs: 0,
    probe: async () => ({
      health: 'healthy',
      reason: null,
      usage: 'every-chunk',
      tokenize: false,
      contextLength: 4_096,
    }),
  });
  const server = await serve({
    name: 'registry',
    host: '127.0.0.1',
    logger: createLogger({name: 'registry', level: 'silent'}),
    routes: registryRoutes({registry, guard: createGuard({adminKey})}),
    onClose: () => pool.end(),
  });
  t.teardown(server.close);
  const call = async (method: string, path: string, body?: object) => {
    const response = await fetch(`${server.url}/admin/v1/models${path}`, {
      method,
      headers: {authorization: `Bearer ${adminKey}`, 'content-type': 'application/json'},
      ...(body ? {body: JSON.stringify(body)} : {}),
    });
    const text = await response.text();
    t.true(response.ok, text);
    return text === '' ? undefined : JSON.parse(text);
  };
  return {database, registry, call};
};

test('what the operator changes of a model is audited, and what a probe finds by itself is not', async t => {
  const {database, registry, call} = await startRegistry(t);
  const model = await call('POST', '', {
    name: 'one',
    environment: 'development',
    price: {inputPerMillion: '1.00', outputPerMillion: '2.00'},
    endpoints: [{url: 'http://127.0.0.1:1'}],
    contextLength: 4_096,
  });
  const made = await auditIn(database);
  t.true(made.every(({actor_id, subject}) => actor_id === 'admin-key' && subject === model.id));
  t.deepEqual(
    made.map(({operation, subject_kind: kind}) => `${operation} ${kind}`),
    ['registerModel model', 'registerModel model', 'registerModel model'],
  );
  t.true(made.some(({after}) => after?.inputPerMillion === '1.00'));
  t.true(made.some(({after}) => after?.url === 'http://127.0.0.1:1'));

  await registry.suspect(model.endpoints[0].id);
  await registry.probe(model.id);
  t.is((await auditIn(database)).length, 3);

  await call('PATCH', `/${model.id}`, {requestsPerMinute: 9});
  await call('POST', `/${model.id}/disable`);
  await call('POST', `/${model.id}/probe`);
  await call('DELETE', `/${model.id}`);
  const [changed, disabled, ...removed] = (await auditIn(database)).slice(3);
  t.like(changed, {operation: 'changeModel', after: {requestsPerMinute: 9}});
  t.like(disabled, {
    operation: 'disableModel',
    before: {status: 'ready'},
    after: {status: 'disabled'},
  });
  t.true(removed.every(({operation, after}) => operation === 'removeModel' && after === null));
  t.is(removed.length, 2);
});

test('who redrives or drops dead letters is audited with what became of them, and not what was in them', async t => {
  const {database, post, call, waiting} = await startDeadletter(t);
  for (const id of ['1', '2', '3']) {
    await post(
      {
        'ce-id': id,
        'ce-type': 'test.done',
        'ce-source': '/test',
        'ce-specversion': '1.0',
        'content-type': 'application/json',
      },
      // What PostgreSQL's jsonb cannot hold.
      JSON.stringify({text: 'a secret \0'}),
    );
  }
  const letters = await waiting();
  t.deepEqual(await auditIn(database), [], 'nobody asked for a letter that comes');
  await call('POST', `/${letters[0]?.id}/drop`);
  await call('POST', '/drop', {type: 'test.done', dryRun: true});
  await call('POST', '/drop', {type: 'test.done'});
  const entries = await auditIn(database);
  t.deepEqual(
    entries.map(({operation}) => operation),
    ['dropDeadLetter', 'dropDeadLetters', 'dropDeadLetters'],
  );
  t.deepEqual(entries.map(({subject}) => subject).toSorted(), letters.map(({id}) => id).toSorted());
  for (const {subject_kind: kind, before, after} of entries) {
    t.is(kind, 'deadLetter');
    t.like(before, {type: 'test.done', droppedAt: null});
    t.is(typeof after?.droppedAt, 'string');
  }
  t.false(JSON.stringify(entries).includes('secret'));
});
