import test from 'ava';
import {uuidv7} from '../../events/uuid.ts';
import type {AdminServer, Json} from '../helpers/admin-server.ts';
import {makeBody} from '../helpers/registry.ts';
import {startWholeAdmin} from '../helpers/whole-admin.ts';

type Place = Readonly<{
  list: string;
  /** Of an item, what tells it from the others. */
  name?: (item: Json) => string;
  add: (index: number) => Promise<unknown>;
}>;

const insertEntry = ({database}: AdminServer, tenant: Record<string, string>, index: number) => {
  const request = uuidv7();
  const now = new Date();
  return database.pool('superuser').query(
    `insert into ledger (month, request, entry, org_id, project_id, key_id, model, model_id, environment, price_version, at,
                         input_tokens, output_tokens, cost_nanos, outcome, charges)
     select date_trunc('month', $1::timestamptz)::date, $2, entry, $3, $4, $5, 'm', $2, 'development', 1,
            -- Half of them are of one instant, all are closer than a millisecond.
            date_trunc('hour', $1::timestamptz) + $6 * interval '1 microsecond', 1, 1, 1, 'completed', '[]'
     from unnest(array['unsettled', 'correction']) as entry`,
    [now, request, tenant.org, tenant.project, tenant.key, index % 3],
  );
};

const insertLetter = ({database}: AdminServer, org: string, index: number) =>
  database.pool('superuser').query(
    `insert into dead_letters (id, org_id, subscription, destination, reason, dead_at)
     values ($1, $2, 'one', 'http://127.0.0.1/', 'a test', date_trunc('hour', now()) + $3 * interval '1 microsecond')`,
    [uuidv7(), org, index % 3],
  );

const placesIn = async (admin: Awaited<ReturnType<typeof startWholeAdmin>>): Promise<Place[]> => {
  const tenant = await admin.createTenant('acme');
  const {org, project, budget} = tenant;
  await admin.database
    .pool('superuser')
    .query('select open_month(date_trunc($1, now())::date)', ['month']);
  const orgPath = `/admin/v1/orgs/${org}`;
  const add = (path: string, body: (index: number) => object) => (index: number) =>
    admin.create(path, body(index));
  const email = (index: number) => `user${index}@example.org`;
  const name = (index: number) => ({name: `name ${index}`});
  return [
    {list: '/admin/v1/orgs?', add: add('/admin/v1/orgs', name)},
    {list: `${orgPath}/projects?`, add: add(`${orgPath}/projects`, name)},
    {
      list: `/admin/v1/projects/${project}/keys?`,
      add: add(`/admin/v1/projects/${project}/keys`, name),
    },
    {
      list: `/admin/v1/budgets?org=${org}&`,
      add: add('/admin/v1/budgets', () => ({org, unit: 'tokens', limit: 5, period: 'day'})),
    },
    {
      list: `/admin/v1/budgets/${budget}/top-ups?`,
      add: add(`/admin/v1/budgets/${budget}/top-ups`, () => ({amount: '1.00'})),
    },
    {
      list: '/admin/v1/users?',
      add: add('/admin/v1/users', index => ({email: email(index), ...name(index)})),
    },
    {
      list: `${orgPath}/members?`,
      add: add(`${orgPath}/members`, index => ({email: email(index), role: 'viewer'})),
    },
    {
      list: `${orgPath}/group-roles?`,
      add: add(`${orgPath}/group-roles`, index => ({group: `group ${index}`, role: 'viewer'})),
    },
    {
      list: `${orgPath}/service-keys?`,
      add: add(`${orgPath}/service-keys`, index => ({...name(index), role: 'viewer'})),
    },
    {
      list: `/admin/v1/audit?org=${org}&`,
      add: add(`${orgPath}/projects`, index => name(-1 - index)),
    },
    {list: '/admin/v1/audit?', add: add('/admin/v1/orgs', index => name(-1 - index))},
    {
      list: `/admin/v1/ledger?org=${org}&`,
      name: ({request, entry}) => `${request} ${entry}`,
      add: index => insertEntry(admin, tenant, index),
    },
    {list: `/admin/v1/dead-letters?org=${org}&`, add: index => insertLetter(admin, org, index)},
    {
      list: '/admin/v1/models?',
      // In the order of their names, before and behind those that are there.
      add: index => admin.create('/admin/v1/models', makeBody({name: `${index % 2} ${index}`})),
    },
  ];
};

test('every list is read to its end in pages, each item once, while others are added', async t => {
  const admin = await startWholeAdmin(t);
  for (const {list, add, name = (item: Json) => item.id} of await placesIn(admin)) {
    for (let index = 0; index < 5; index += 1) {
      await add(index);
    }
    const expected = (await admin.call('GET', `${list}limit=1000`)).body.data.map(name);
    t.true(expected.length >= 5, list);
    const seen: string[] = [];
    let after = '';
    for (let pages = 0; ; pages += 1) {
      const {status, text, body} = await admin.call('GET', `${list}limit=1${after}`);
      t.is(status, 200, text);
      t.true(body.data.length <= 1);
      seen.push(...body.data.map(name));
      if (body.next === undefined) {
        break;
      }
      after = `&after=${body.next}`;
      if (pages < 4) {
        await add(pages + 100);
      }
    }
    t.is(new Set(seen).size, seen.length, `${list} repeats an item`);
    t.deepEqual(
      expected.filter(item => !seen.includes(item)),
      [],
      `${list} loses an item`,
    );
    const order = (await admin.call('GET', `${list}limit=1000`)).body.data.map(name);
    t.deepEqual(
      seen,
      order.filter(item => seen.includes(item)),
      `${list} is read in another order`,
    );
  }
});

test('a page goes on where the one before ended, though its last item is gone', async t => {
  const admin = await startWholeAdmin(t);
  const {org} = await admin.createTenant('acme');
  for (const index of [0, 1, 2]) {
    await insertLetter(admin, org, index);
    await admin.create('/admin/v1/models', makeBody({name: `model ${index}`}));
  }
  for (const list of [`/admin/v1/dead-letters?org=${org}&`, '/admin/v1/models?']) {
    const [first, second] = (await admin.call('GET', list)).body.data as [Json, Json];
    const {next} = (await admin.call('GET', `${list}limit=1`)).body;
    await admin.database
      .pool('superuser')
      .query(
        `delete from ${list.includes('models') ? 'models' : 'dead_letters'} where id = '${first.id}'`,
      );
    const [following] = (await admin.call('GET', `${list}limit=1&after=${next}`)).body.data;
    t.is(following?.id, second.id, list);
  }
});

test('an after that no page gave is 400 and names it', async t => {
  const admin = await startWholeAdmin(t);
  const {org} = await admin.createTenant('acme');
  const write = (value: unknown) => Buffer.from(JSON.stringify(value)).toString('base64url');
  const texts = ['x', '%00', write(1), write([]), write(['1', '2', '3']), write(['x', uuidv7()])];
  for (const list of [`/ledger?org=${org}`, '/dead-letters?', '/models?', '/audit?', '/orgs?']) {
    for (const after of texts) {
      const answer = await admin.call('GET', `/admin/v1${list}&after=${after}`);
      t.like(answer, {status: 400, body: {parameter: 'after'}}, `${list} ${after}`);
    }
  }
});
