import test, {type ExecutionContext} from 'ava';
import {type Caller, createCallers} from '../helpers/access-callers.ts';
import {accessTable} from '../helpers/access-table.ts';
import {type AccessIds, insertAccessTenant} from '../helpers/access-tenant.ts';
import {startAccessWorld} from '../helpers/access-world.ts';

type Ids = Readonly<{own: AccessIds; other: AccessIds}>;
type Attempt = readonly [
  method: 'GET' | 'POST',
  path: (ids: Ids) => string,
  status: number | readonly number[],
  body?: (ids: Ids) => object,
];

const setUp = async (t: ExecutionContext) => {
  const world = await startAccessWorld(t);
  const pool = world.database.pool('superuser');
  const {callers, grantIn} = await createCallers(pool, world.provider);
  const own = await insertAccessTenant(pool, 'owl');
  await grantIn(own);
  const other = await insertAccessTenant(pool, 'zebra');
  const caller = (name: string) => callers.find(each => each.name === name) as Caller;
  return {...world, own, other, caller};
};

test.serial(
  'an answer about one organisation has something of it and nothing of another',
  async t => {
    const {call, own, other, caller} = await setUp(t);
    const {headers} = caller('the admin key');
    const strange = [...Object.values(other.ids), ...Object.values(other.sibling), other.name];
    const readers = accessTable.filter(({method, of}) => method === 'GET' && of !== 'platform');
    t.true(readers.length > 30);
    for (const {operation, path} of readers) {
      const {status, text} = await call('GET', path(own.ids), {headers: headers(own)});
      t.is(status, 200, `${operation}: ${text}`);
      t.true(
        Object.values(own.ids).some(id => text.includes(id)) || nameless.test(operation),
        `${operation}: ${text}`,
      );
      for (const id of strange) {
        t.false(text.includes(id), `${operation} shows ${id}`);
      }
    }
  },
);

/** Sums, and a list that is empty here. */
const nameless = /^(getUsage|listTopUps)$/;

const budget = {unit: 'tokens', limit: 5, period: 'day'};
const role = {role: 'viewer'};
/** Ids of one organisation beside those of another, what names too much, and what names nothing. */
const mixed: readonly Attempt[] = [
  ['GET', ({own, other}) => `/ledger?org=${own.org}&request=${other.request}`, 200],
  ['GET', ({own, other}) => `/ledger?org=${other.org}&request=${own.request}`, 404],
  ['GET', () => '/ledger', 403],
  ['GET', ({own, other}) => `/requests/${other.request}?org=${own.org}`, 404],
  ['GET', ({own, other}) => `/requests/${own.request}?org=${other.org}`, 404],
  ['GET', ({other}) => `/requests/${other.refused}`, 404],
  ['GET', ({own, other}) => `/usage?org=${own.org}&project=${other.project}`, 404],
  ['GET', ({own, other}) => `/usage?org=${other.org}&project=${own.project}`, 404],
  ['GET', ({own, other}) => `/usage?org=${own.org}&key=${other.key}&groupBy=key`, 200],
  ['GET', ({own, other}) => `/usage?project=${own.project}&key=${other.key}&groupBy=key`, 200],
  ['GET', ({own, other}) => `/usage?org=${own.org}&org=${other.org}`, 400],
  ['GET', ({own, other}) => `/usage?org=${own.org}&Org=${other.org}`, 400],
  ['GET', ({own, other}) => `/usage?org=${own.org}&org[]=${other.org}`, 400],
  ['GET', ({other}) => `/usage?key=${other.key}`, 403],
  ['GET', ({own}) => `/usage?key=${own.key}`, 403],
  ['GET', () => '/usage?groupBy=org', 403],
  ['GET', ({own, other}) => `/usage/records?org=${own.org}&request=${other.request}`, 404],
  ['GET', ({own, other}) => `/usage/export?org=${own.org}&project=${other.project}`, 404],
  ['GET', ({own, other}) => `/usage/export?org=${own.org}&key=${other.key}&format=json`, 200],
  ['GET', ({own, other}) => `/dead-letters?org=${own.org}&after=${other.deadLetter}`, [200, 400]],
  ['GET', () => '/dead-letters', 403],
  ['GET', ({own, other}) => `/budgets?org=${own.org}&after=${other.budget}`, [200, 400]],
  ['GET', ({own, other}) => `/budgets/${own.budget}/top-ups?after=${other.topUp}`, [200, 400]],
  ['GET', ({own, other}) => `/orgs/${own.org}/projects?after=${other.project}`, [200, 400]],
  ['GET', ({own, other}) => `/orgs/${own.org}/members?project=${other.project}`, 404],
  ['GET', ({own, other}) => `/orgs/${other.org}/members?project=${own.project}`, 404],
  ['GET', ({own, other}) => `/orgs/${own.org}/group-roles?project=${other.project}`, 404],
  ['GET', ({own, other}) => `/orgs/${own.org}/service-keys?project=${other.project}`, 404],
  ['GET', ({own}) => `/orgs/${own.org}/members?email=zebra@example.org`, 200],
  ['GET', () => '/orgs?name=zebra', 200],
  ['GET', ({other}) => `/orgs?after=${other.org}`, [200, 400]],
  ['GET', ({own, other}) => `/audit?org=${own.org}&subject=${other.member}`, 200],
  ['GET', ({own, other}) => `/audit?org=${own.org}&actor=${other.user}`, 200],
  ['GET', () => '/audit', 403],
  ['POST', () => '/budgets', 404, ({other}) => ({org: other.org, ...budget})],
  ['POST', () => '/budgets', 404, ({other}) => ({key: other.key, ...budget})],
  [
    'POST',
    () => '/budgets',
    404,
    ({own, other}) => ({org: own.org, project: other.project, ...budget}),
  ],
  [
    'POST',
    () => '/budgets',
    404,
    ({own, other}) => ({project: own.project, key: other.key, ...budget}),
  ],
  ['POST', () => '/budgets', [400, 403], ({other}) => ({Org: other.org, ...budget})],
  ...(['members', 'group-roles', 'service-keys'] as const).flatMap((what): Attempt[] => {
    const body = {
      members: {email: 'a@b.example'},
      'group-roles': {group: 'a'},
      'service-keys': {name: 'a'},
    };
    return [
      [
        'POST',
        ({own}) => `/orgs/${own.org}/${what}`,
        404,
        ({other}) => ({...body[what], ...role, project: other.project}),
      ],
      [
        'POST',
        ({other}) => `/orgs/${other.org}/${what}`,
        404,
        ({own}) => ({...body[what], ...role, project: own.project}),
      ],
    ];
  }),
];

const callersTried = ['user org-owner', 'service key org-owner', 'machine org-owner'];

test.serial(
  "ids of another organisation beside one's own find nothing, and spoilt ones neither",
  async t => {
    const {call, own, other, caller} = await setUp(t);
    const ids = {own: own.ids, other: other.ids};
    for (const headers of callersTried.map(name => caller(name).headers(own))) {
      for (const [method, pathOf, wanted, bodyOf] of mixed) {
        const path = pathOf(ids);
        const body = bodyOf?.(ids);
        const {status, text} = await call(method, path, {headers, body});
        t.true([wanted].flat().includes(status), `${method} ${path}: ${status} ${text}`);
        const asked = JSON.stringify([path, body]);
        for (const strange of [...Object.values(other.ids), 'zebra']) {
          t.false(text.includes(strange) && !asked.includes(strange), `${path} shows ${strange}`);
        }
      }
      for (const id of [own.ids.org.toUpperCase(), `${own.ids.org}%00`, "'", '%27', '..%2f', '0']) {
        t.is((await call('GET', `/orgs/${id}`, {headers})).status, 400, id);
      }
    }
  },
);
