/** Models that scale to zero, from the registration to the night after: PostgreSQL keeps them, a probe says what is there. */
import test, {type ExecutionContext} from 'ava';
import {parseChange} from '../../functions/registry/change.ts';
import type {Finding} from '../../functions/registry/model.ts';
import {parseRegistration} from '../../functions/registry/registration.ts';
import {createRegistry} from '../../functions/registry/registry.ts';
import {createPostgresStore} from '../../functions/registry/store-postgres.ts';
import {createTestDatabase} from '../helpers/database.ts';
import {createFakeProbe, ill, makeBody, well} from '../helpers/registry.ts';

const url = 'http://a:8000';
const asleep: Finding = {...ill, health: 'unknown', reason: 'not running: connection refused'};

const setUp = async (t: ExecutionContext, found: Finding) => {
  const pool = (await createTestDatabase(t)).pool('system');
  const {probe, findings, targets} = createFakeProbe({[url]: found});
  const clock = {ms: Date.now()};
  const registry = createRegistry({store: createPostgresStore(pool), probe, now: () => clock.ms});
  const register = async (more: object) =>
    (await registry.register(parseRegistration(makeBody({...more})))).model;
  const suspect = async ({endpoints: [endpoint]}: {endpoints: readonly {id: string}[]}) => {
    clock.ms += 2_001;
    await registry.suspect(endpoint?.id as string);
  };
  const told = async () => {
    const {rows} = await pool.query<{type: string; health: string | null}>(
      `select event->>'type' as type, event->'data'->>'health' as health from outbox order by id`,
    );
    return rows.map(({type, health}) => health ?? type.split('.').at(-2));
  };
  return {registry, register, suspect, told, findings, targets};
};

const sleeping = {startSeconds: 120, contextLength: 4096};

test('it is ready by its context length, is never ill by sleeping, and that it sleeps is not told', async t => {
  const {registry, register, suspect, told, findings, targets} = await setUp(t, asleep);
  const unbounded = await register({startSeconds: 120});
  t.is(unbounded.status, 'registered', 'nobody tells how long its context is');
  const model = await register(sleeping);
  t.is(model.status, 'ready');
  t.like(model.endpoints[0], {health: 'unknown', healthReason: asleep.reason, usage: null});
  t.true(targets.every(({mayBeAsleep}) => mayBeAsleep));

  findings[url] = well;
  await suspect(model);
  t.like((await registry.find(model.id)).endpoints[0], {health: 'healthy', usage: 'every-chunk'});
  findings[url] = asleep;
  await suspect(model);
  const night = await registry.find(model.id);
  t.is(night.status, 'ready');
  t.like(night.endpoints[0], {health: 'unknown', usage: 'every-chunk'});
  t.deepEqual(await told(), ['registered', 'registered', 'healthy']);
});

test('it is not asked by a registration that is applied again, once it has answered', async t => {
  const {register, targets} = await setUp(t, well);
  const first = await register(sleeping);
  t.is(targets.length, 1);
  t.deepEqual(await register(sleeping), first);
  t.is(targets.length, 1);
  await register({...sleeping, startSeconds: null});
  t.is(targets.length, 2, 'one that runs always is');
});

test('it is asked by each registration until it has answered, and while it is ill', async t => {
  const {register, findings, targets} = await setUp(t, asleep);
  await register(sleeping);
  findings[url] = ill;
  t.is((await register(sleeping)).endpoints[0]?.health, 'unhealthy');
  findings[url] = well;
  t.is((await register(sleeping)).endpoints[0]?.health, 'healthy');
  t.is(targets.length, 3);
});

test('that it scales to zero is said later, and it is ready when it is enabled', async t => {
  const {registry, register, findings} = await setUp(t, ill);
  const {id} = await register({contextLength: 4096});
  t.is((await registry.change(id, parseChange({startSeconds: 60}))).status, 'registered');
  await t.throwsAsync(registry.enable(id), {message: /connection refused/});
  findings[url] = asleep;
  t.is((await registry.enable(id)).status, 'ready');
});
