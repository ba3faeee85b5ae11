import test, {type ExecutionContext} from 'ava';
import {accessOf, auditedActor, type Grant, type Scope} from '../../events/access/access.ts';
import type {Directory} from '../../events/access/directory.ts';
import {createGuard} from '../../events/access/guard.ts';
import {hashSecret, makeServiceKey} from '../../events/api-key.ts';
import {createApp} from '../../events/serve.ts';
import {createLogger} from '../../events/telemetry.ts';
import {uuidv7} from '../../events/uuid.ts';
import {createHttpTestServer} from '../helpers/http.ts';

const adminKey = 'the-admin-key-of-this-test';
const org = uuidv7();
const project = uuidv7();
const strange = uuidv7();
const scopes: Readonly<Record<string, Scope>> = {
  [`org ${org}`]: {org, suspended: false, deleted: false},
  [`project ${project}`]: {org, project, suspended: false, deleted: false},
  [`org ${strange}`]: {org: strange, suspended: false, deleted: false},
};

const setUp = async (t: ExecutionContext, grants: Grant[] = [{org, role: 'owner'}]) => {
  const key = makeServiceKey();
  const asked: string[] = [];
  const directory: Directory = {
    async scopeOf(kind, id) {
      asked.push(`${kind} ${id}`);
      return scopes[`${kind} ${id}`];
    },
    bySession: async () => undefined,
    bySubject: async () => undefined,
    byServiceKey: async () => ({
      id: 'a-key',
      name: 'ci',
      operator: false,
      grants,
      stale: false,
      secretHash: hashSecret(key.secret),
    }),
    serviceKeyUsed: async () => {},
  };
  const {url} = await createHttpTestServer(
    t,
    createApp({
      name: 'guarded',
      logger: createLogger({name: 'guarded', level: 'silent'}),
      routes(router) {
        router.use('/admin/v1', createGuard({adminKey, directory}));
        router.use('/admin/v1', (request, response) => {
          const access = accessOf(request);
          response.json({
            operation: access.operation,
            org: access.org,
            actor: auditedActor(access),
          });
        });
        router.get('/open', (request, response) => {
          response.json(accessOf(request));
        });
      },
    }),
  );
  const call = async (
    method: string,
    path: string,
    {token = key.text, body}: {token?: string | null; body?: string} = {},
  ) => {
    const response = await fetch(`${url}${path}`, {
      method,
      headers: {
        ...(token === null ? {} : {authorization: `Bearer ${token}`}),
        'content-type': 'application/json',
      },
      ...(body === undefined ? {} : {body}),
    });
    const text = await response.text();
    return {
      status: response.status,
      cache: response.headers.get('cache-control'),
      body: text === '' ? undefined : JSON.parse(text),
    };
  };
  return {call, asked};
};

test('what is let through is known by its operation, its organisation and who asks; no cache keeps it', async t => {
  const {call} = await setUp(t);
  const {status, body, cache} = await call('GET', `/admin/v1/orgs/${org}`);
  t.is(status, 200);
  t.is(cache, 'no-store');
  t.like(body, {operation: 'getOrg', org});
  t.like(JSON.parse(body.actor), {
    kind: 'service',
    id: 'a-key',
    name: 'ci',
    operator: false,
    operation: 'getOrg',
    address: '127.0.0.1',
  });
});

test('nobody is told anything before they are known', async t => {
  const {call, asked} = await setUp(t);
  for (const path of [
    `/admin/v1/orgs/${org}`,
    '/admin/v1/nothing',
    '/admin/v1',
    '/ADMIN/V1/orgs',
  ]) {
    for (const method of ['GET', 'POST', 'PUT', 'HEAD', 'OPTIONS']) {
      t.is((await call(method, path, {token: null})).status, 401, `${method} ${path}`);
    }
  }
  t.deepEqual(asked, []);
});

test('a route that the document does not have is there for the operator alone', async t => {
  const {call} = await setUp(t);
  for (const [method, path] of [
    ['GET', '/admin/v1/nothing'],
    ['GET', `/admin/v1/ORGS/${org}`],
    ['GET', `/ADMIN/V1/orgs/${org}`],
    ['GET', `/admin/v1/orgs//${org}`],
    ['GET', `/admin/v1/orgs/${org}/projects/x/y`],
  ] as const) {
    t.is((await call(method, path)).status, 404, `${method} ${path}`);
    t.is((await call(method, path, {token: adminKey})).status, 200, `${method} ${path}`);
  }
});

test("a method that the document does not have is nobody's, and OPTIONS says which there are", async t => {
  const {call} = await setUp(t);
  for (const token of [undefined, adminKey]) {
    const more = token === undefined ? {} : {token};
    t.is((await call('PUT', `/admin/v1/orgs/${org}`, more)).status, 405);
    t.true((await call('OPTIONS', `/admin/v1/orgs/${strange}`, more)).status < 300);
  }
});

test('HEAD reads as GET does, also in a suspended organisation', async t => {
  const {call} = await setUp(t);
  t.is((await call('HEAD', `/admin/v1/orgs/${org}`)).status, 200);
  t.is((await call('HEAD', `/admin/v1/orgs/${strange}`)).status, 404);
  t.is((await call('HEAD', '/admin/v1/models')).status, 403);
});

test('an id that is none is named; one of nobody and one of another look the same', async t => {
  const {call} = await setUp(t);
  t.like(await call('GET', '/admin/v1/orgs/x'), {status: 400, body: {parameter: 'org'}});
  const nobody = uuidv7();
  const [one, other] = [
    (await call('GET', `/admin/v1/orgs/${nobody}`)).body,
    (await call('GET', `/admin/v1/orgs/${strange}`)).body,
  ];
  const without = (
    {detail, instance: _, ...rest}: {detail: string; instance: string},
    id: string,
  ) => ({
    ...rest,
    detail: detail.replace(id, ''),
  });
  t.deepEqual(without(one, nobody), without(other, strange));
});

test('a subject in a body is looked up before the handler, and what is no body is refused', async t => {
  const {call, asked} = await setUp(t, [{org, project, role: 'admin'}]);
  const post = (body: string) => call('POST', '/admin/v1/budgets', {body});
  t.like(await post(JSON.stringify({project})), {status: 200, body: {org}});
  t.deepEqual(asked, [`project ${project}`]);
  t.is((await post(JSON.stringify({org}))).status, 403);
  t.is((await post(JSON.stringify({org: strange}))).status, 404);
  t.is((await post(JSON.stringify({project, org: strange}))).status, 404);
  t.is((await post(JSON.stringify({}))).status, 403);
  for (const spoilt of [
    '{',
    '[]',
    '"x"',
    'null',
    JSON.stringify({project: [project]}),
    '{"project": null}',
  ]) {
    t.is((await post(spoilt)).status, 400, spoilt);
  }
  t.is((await post(`{"project": "${project}", "project": "${uuidv7()}"}`)).status, 404);
});

test('a parameter that is given twice names nothing', async t => {
  const {call} = await setUp(t);
  const twice = await call('GET', `/admin/v1/usage?org=${org}&org=${org}`);
  t.like(twice, {status: 400, body: {parameter: 'org'}});
});

test('what stands behind no guard cannot be asked who calls', async t => {
  const {call} = await setUp(t);
  t.is((await call('GET', '/open')).status, 500);
});
