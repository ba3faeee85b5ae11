import test, {type ExecutionContext} from 'ava';
import {type Caller, createCallers} from '../helpers/access-callers.ts';
import {insertAccessTenant} from '../helpers/access-tenant.ts';
import {startAccessWorld} from '../helpers/access-world.ts';

const setUp = async (t: ExecutionContext) => {
  const world = await startAccessWorld(t);
  const pool = world.database.pool('superuser');
  const {callers, grantIn} = await createCallers(pool, world.provider);
  const own = await insertAccessTenant(pool, 'owl');
  const second = await insertAccessTenant(pool, 'swan');
  await insertAccessTenant(pool, 'zebra');
  await grantIn(own);
  const as = async (
    name: string,
    path: string,
    {method = 'GET', body = undefined as object | undefined} = {},
  ) => {
    const {headers} = callers.find(caller => caller.name === name) as Caller;
    const {status, text} = await world.call(method, path, {headers: headers(own), body});
    return {status, body: text === '' ? undefined : JSON.parse(text)};
  };
  return {...world, pool, own, second, grantIn, as};
};

test.serial('everybody is told who they are and what they may, with names', async t => {
  const {own, second, grantIn, pool, as} = await setUp(t);
  const inOrg = {org: own.ids.org, orgName: 'owl'};
  t.like((await as('user org-admin', '/me')).body, {
    kind: 'user',
    name: 'org-admin@caller.example',
    operator: false,
    grants: [{...inOrg, role: 'admin'}],
  });
  t.like((await as('service key project-viewer', '/me')).body, {
    kind: 'service',
    name: 'project-viewer',
    grants: [{...inOrg, project: own.ids.project, projectName: 'owl', role: 'viewer'}],
  });
  t.like((await as('machine org-owner', '/me')).body, {
    kind: 'machine',
    name: 'machine org-owner',
    grants: [{...inOrg, role: 'owner'}],
  });
  t.deepEqual((await as('the admin key', '/me')).body, {
    kind: 'operator',
    id: 'admin-key',
    name: 'admin key',
    operator: true,
    grants: [],
  });
  t.like((await as('user who is an operator', '/me')).body, {kind: 'user', operator: true});
  t.deepEqual((await as('user without roles', '/me')).body.grants, []);

  await grantIn(second);
  t.is((await as('user org-admin', '/me')).body.grants.length, 2);
  await pool.query('update orgs set deleted_at = now(), purge_after = now() where id = $1', [
    second.ids.org,
  ]);
  t.is((await as('user org-admin', '/me')).body.grants.length, 1);
});

test.serial(
  'lists show what one has a role in: organisations, and of an organisation projects',
  async t => {
    const {own, as} = await setUp(t);
    const names = async (caller: string, path: string) =>
      ((await as(caller, path)).body.data as {name: string}[]).map(({name}) => name).toSorted();
    t.deepEqual(await names('user org-viewer', '/orgs'), ['owl']);
    t.deepEqual(await names('machine project-viewer', '/orgs'), ['owl']);
    t.deepEqual(await names('user without roles', '/orgs'), []);
    t.deepEqual(await names('the admin key', '/orgs'), ['owl', 'swan', 'zebra']);
    const path = `/orgs/${own.ids.org}/projects`;
    t.deepEqual(await names('user org-viewer', path), ['owl', 'sibling of owl']);
    for (const caller of ['user', 'service key', 'machine']) {
      t.deepEqual(await names(`${caller} project-owner`, path), ['owl']);
    }
  },
);

test.serial(
  'what an unsettled request costs is set by who runs the platform, also for a new project',
  async t => {
    const {own, as} = await setUp(t);
    const projects = `/orgs/${own.ids.org}/projects`;
    const project = `/projects/${own.ids.project}`;
    const waive = {unsettledPolicy: 'waive'};
    const post = (caller: string, body: object) => as(caller, projects, {method: 'POST', body});
    const patch = (caller: string, body: object) => as(caller, project, {method: 'PATCH', body});
    for (const caller of ['user org-owner', 'service key org-owner']) {
      t.like(await patch(caller, waive), {status: 403, body: {parameter: 'unsettledPolicy'}});
      t.is((await patch(caller, {unsettledPolicy: 'prompt'})).status, 403);
      t.is((await post(caller, {name: `a ${caller}`, ...waive})).status, 403);
      t.is((await post(caller, {name: `a ${caller}`})).body.unsettledPolicy, 'prompt');
    }
    t.is((await patch('the admin key', waive)).body.unsettledPolicy, 'waive');
    t.is((await post('the admin key', {name: 'mine', ...waive})).status, 201);
  },
);

test.serial(
  'a deleted project is read on by who has a role in its organisation, and is gone for who had one in it',
  async t => {
    const {own, as} = await setUp(t);
    const path = `/projects/${own.ids.project}`;
    t.is((await as('user project-owner', path)).status, 200);
    t.is((await as('user project-owner', path, {method: 'DELETE'})).status, 204);
    for (const caller of ['user project-owner', 'machine project-owner']) {
      t.is((await as(caller, path)).status, 404, caller);
      t.deepEqual((await as(caller, '/me')).body.grants, [], caller);
    }
    t.is((await as('service key project-owner', '/me')).status, 401);
    t.truthy((await as('user org-viewer', path)).body.deletedAt);
    t.is((await as('user org-viewer', `/usage?project=${own.ids.project}`)).status, 200);
    const {body} = await as('user org-viewer', `/orgs/${own.ids.org}/projects`);
    t.deepEqual(
      (body.data as {name: string}[]).map(({name}) => name),
      ['sibling of owl'],
    );
  },
);
