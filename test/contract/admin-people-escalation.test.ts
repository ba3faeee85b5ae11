import test, {type ExecutionContext} from 'ava';
import {startAdmin} from '../helpers/admin-server.ts';
import {type Call, createPeople, type Role} from '../helpers/people.ts';

type Attempt = readonly [why: string, method: string, path: string, body?: object];

const orders: readonly Role[] = ['viewer', 'member', 'admin', 'owner'];

const setUp = async (t: ExecutionContext) => {
  const admin = await startAdmin(t);
  const people = createPeople(admin);
  const acme = await admin.createTenant('acme');
  const other = await admin.createTenant('other');
  const base = `/admin/v1/orgs/${acme.org}`;
  /** What is there: if an attempt changes anything of it, it shows. */
  const snapshot = async () => {
    const {rows} = await admin.database.pool('superuser').query(
      `select (select jsonb_agg(m order by m.id) from members m) as members,
              (select jsonb_agg(g order by g.id) from group_roles g) as groups,
              (select jsonb_agg(to_jsonb(s) - 'last_used_at' order by s.id) from service_keys s) as keys,
              (select jsonb_agg(u order by u.id) from users u) as users`,
    );
    return rows[0];
  };
  const refuseAll = async (call: Call, attempts: readonly Attempt[], status = 403) => {
    const before = await snapshot();
    for (const [why, method, path, body] of attempts) {
      const answer = await call(method, path, body);
      t.is(answer.status, status, `${why}: ${answer.text}`);
    }
    t.deepEqual(await snapshot(), before);
  };
  return {admin, ...people, acme, other, base, refuseAll};
};

test('an admin grants no owner, by no way there is, and touches none', async t => {
  const {admin, createMember, acme, base, refuseAll} = await setUp(t);
  const owner = await createMember(acme.org, 'owner');
  await createMember(acme.org, 'owner');
  const self = await createMember(acme.org, 'admin');
  const viewer = await createMember(acme.org, 'viewer');
  const group = await admin.create(`${base}/group-roles`, {group: 'bosses', role: 'owner'});
  const weak = await admin.create(`${base}/group-roles`, {group: 'others', role: 'viewer'});
  const key = await admin.create(`${base}/service-keys`, {name: 'boss', role: 'owner'});
  const {project} = acme;
  await refuseAll(self.call, [
    ['adds an owner', 'POST', `${base}/members`, {email: 'x@y.de', role: 'owner'}],
    ['adds one of a project', 'POST', `${base}/members`, {email: 'x@y.de', role: 'owner', project}],
    ['adds itself again', 'POST', `${base}/members`, {email: self.email, role: 'owner', project}],
    ['makes itself owner', 'PATCH', `/admin/v1/members/${self.id}`, {role: 'owner'}],
    ['makes a viewer owner', 'PATCH', `/admin/v1/members/${viewer.id}`, {role: 'owner'}],
    ['weakens an owner', 'PATCH', `/admin/v1/members/${owner.id}`, {role: 'viewer'}],
    ['removes an owner', 'DELETE', `/admin/v1/members/${owner.id}`],
    ['makes a key of an owner', 'POST', `${base}/service-keys`, {name: 'x', role: 'owner'}],
    ['in a project', 'POST', `${base}/service-keys`, {name: 'x', role: 'owner', project}],
    ['revokes a key of an owner', 'DELETE', `/admin/v1/service-keys/${key.id}`],
    ['maps a group to owner', 'POST', `${base}/group-roles`, {group: 'x', role: 'owner'}],
    ['strengthens a group', 'PATCH', `/admin/v1/group-roles/${weak.id}`, {role: 'owner'}],
    ['weakens a group of owners', 'PATCH', `/admin/v1/group-roles/${group.id}`, {role: 'viewer'}],
    ['removes a group of owners', 'DELETE', `/admin/v1/group-roles/${group.id}`],
  ]);
  t.is((await self.call('PATCH', `/admin/v1/members/${viewer.id}`, {role: 'admin'})).status, 200);
  t.is((await self.call('PATCH', `/admin/v1/members/${self.id}`, {role: 'member'})).status, 200);
  t.is((await self.call('PATCH', `/admin/v1/members/${self.id}`, {role: 'admin'})).status, 403);
});

test('a member and a viewer manage nobody, not even themselves', async t => {
  const {admin, createMember, acme, base, refuseAll} = await setUp(t);
  const viewer = await createMember(acme.org, 'viewer');
  const key = await admin.create(`${base}/service-keys`, {name: 'k', role: 'viewer'});
  const group = await admin.create(`${base}/group-roles`, {group: 'g', role: 'viewer'});
  for (const role of ['member', 'viewer'] as const) {
    const self = await createMember(acme.org, role);
    await refuseAll(self.call, [
      ['adds a viewer', 'POST', `${base}/members`, {email: 'x@y.de', role: 'viewer'}],
      ['changes its role', 'PATCH', `/admin/v1/members/${self.id}`, {role: 'admin'}],
      ['weakens itself', 'PATCH', `/admin/v1/members/${self.id}`, {role: 'viewer'}],
      ['removes a viewer', 'DELETE', `/admin/v1/members/${viewer.id}`],
      ['makes a service key', 'POST', `${base}/service-keys`, {name: 'x', role: 'viewer'}],
      ['revokes one', 'DELETE', `/admin/v1/service-keys/${key.id}`],
      ['maps a group', 'POST', `${base}/group-roles`, {group: 'x', role: 'viewer'}],
      ['changes one', 'PATCH', `/admin/v1/group-roles/${group.id}`, {role: 'member'}],
      ['removes one', 'DELETE', `/admin/v1/group-roles/${group.id}`],
    ]);
  }
});

test("an admin of a project manages that project's people, and nothing of the organisation or its other projects", async t => {
  const {admin, createMember, acme, other, base, refuseAll} = await setUp(t);
  const {project} = acme;
  const {id: sibling} = await admin.create(`${base}/projects`, {name: 'sibling'});
  const self = await createMember(acme.org, 'admin', {project});
  const ofOrg = await createMember(acme.org, 'viewer');
  const ofSibling = await createMember(acme.org, 'viewer', {project: sibling});
  const ownerHere = await createMember(acme.org, 'owner', {project});
  const key = await admin.create(`${base}/service-keys`, {name: 'k', role: 'viewer'});
  const add = {email: 'x@y.de', role: 'viewer'};
  const named = {name: 'x', role: 'viewer'};
  await refuseAll(self.call, [
    ['adds to the organisation', 'POST', `${base}/members`, add],
    ['adds an owner here', 'POST', `${base}/members`, {...add, role: 'owner', project}],
    ['makes itself owner here', 'PATCH', `/admin/v1/members/${self.id}`, {role: 'owner'}],
    ['removes the owner here', 'DELETE', `/admin/v1/members/${ownerHere.id}`],
    ['changes one of the organisation', 'PATCH', `/admin/v1/members/${ofOrg.id}`, {role: 'member'}],
    ['removes one of it', 'DELETE', `/admin/v1/members/${ofOrg.id}`],
    ['makes a key of it', 'POST', `${base}/service-keys`, named],
    ['revokes one of it', 'DELETE', `/admin/v1/service-keys/${key.id}`],
    ['maps a group of it', 'POST', `${base}/group-roles`, {group: 'x', role: 'viewer'}],
  ]);
  await refuseAll(
    self.call,
    [
      ['adds to a sibling', 'POST', `${base}/members`, {...add, project: sibling}],
      ['removes of a sibling', 'DELETE', `/admin/v1/members/${ofSibling.id}`],
      ['key of a sibling', 'POST', `${base}/service-keys`, {...named, project: sibling}],
      ["another's project", 'POST', `${base}/members`, {...add, project: other.project}],
    ],
    404,
  );
  const added = await self.call('POST', `${base}/members`, {...add, role: 'admin', project});
  t.is(added.status, 201);
  t.is((await self.call('DELETE', `/admin/v1/members/${added.body.id}`)).status, 204);
  const made = await self.call('POST', `${base}/service-keys`, {...named, project});
  t.is(made.status, 201);
  t.is((await self.call('DELETE', `/admin/v1/service-keys/${made.body.id}`)).status, 204);
});

test("nobody reaches into another organisation, by its path, its ids or its project's id in one's own path", async t => {
  const {admin, createMember, acme, other, base, refuseAll} = await setUp(t);
  const self = await createMember(acme.org, 'owner');
  const foreign = `/admin/v1/orgs/${other.org}`;
  const victim = await createMember(other.org, 'viewer');
  const key = await admin.create(`${foreign}/service-keys`, {name: 'k', role: 'viewer'});
  const group = await admin.create(`${foreign}/group-roles`, {group: 'g', role: 'viewer'});
  const {project} = other;
  const add = {email: self.email, role: 'viewer'};
  await refuseAll(
    self.call,
    [
      ['joins', 'POST', `${foreign}/members`, add],
      ['joins a project', 'POST', `${foreign}/members`, {...add, project}],
      ['its project in our path', 'POST', `${base}/members`, {...add, project}],
      ['our project in its path', 'POST', `${foreign}/members`, {...add, project: acme.project}],
      ['reads a member', 'GET', `/admin/v1/members/${victim.id}`],
      ['changes a member', 'PATCH', `/admin/v1/members/${victim.id}`, {role: 'member'}],
      ['removes a member', 'DELETE', `/admin/v1/members/${victim.id}`],
      ['makes a key', 'POST', `${foreign}/service-keys`, {name: 'x', role: 'viewer'}],
      ['key for its project', 'POST', `${base}/service-keys`, {name: 'x', role: 'viewer', project}],
      ['reads a key', 'GET', `/admin/v1/service-keys/${key.id}`],
      ['revokes a key', 'DELETE', `/admin/v1/service-keys/${key.id}`],
      ['maps a group', 'POST', `${foreign}/group-roles`, {group: 'x', role: 'viewer'}],
      [
        'group for its project',
        'POST',
        `${base}/group-roles`,
        {group: 'x', role: 'viewer', project},
      ],
      ['changes a group', 'PATCH', `/admin/v1/group-roles/${group.id}`, {role: 'member'}],
      ['removes a group', 'DELETE', `/admin/v1/group-roles/${group.id}`],
      ['lists its members', 'GET', `${foreign}/members`],
      ['lists its keys', 'GET', `${foreign}/service-keys`],
      ['lists its groups', 'GET', `${foreign}/group-roles`],
    ],
    404,
  );
});

test('of a suspended organisation its people read, and change nothing', async t => {
  const {admin, createMember, acme, base, refuseAll} = await setUp(t);
  const self = await createMember(acme.org, 'owner');
  const viewer = await createMember(acme.org, 'viewer');
  const key = await admin.create(`${base}/service-keys`, {name: 'k', role: 'admin'});
  const pool = admin.database.pool('superuser');
  await pool.query('update orgs set suspended_at = now() where id = $1', [acme.org]);
  const attempts: readonly Attempt[] = [
    ['adds', 'POST', `${base}/members`, {email: 'x@y.de', role: 'viewer'}],
    ['changes', 'PATCH', `/admin/v1/members/${viewer.id}`, {role: 'member'}],
    ['removes', 'DELETE', `/admin/v1/members/${viewer.id}`],
    ['makes a key', 'POST', `${base}/service-keys`, {name: 'x', role: 'viewer'}],
    ['revokes a key', 'DELETE', `/admin/v1/service-keys/${key.id}`],
    ['maps a group', 'POST', `${base}/group-roles`, {group: 'x', role: 'viewer'}],
  ];
  await refuseAll(self.call, attempts);
  await refuseAll(
    (method, path, body) => admin.call(method, path, body, {token: String(key.key)}),
    attempts,
  );
  t.is((await self.call('GET', `${base}/members`)).status, 200);
  t.is((await admin.call('DELETE', `/admin/v1/members/${viewer.id}`)).status, 204);
});

test('whoever asks, for whatever role, of whatever place: nothing above their own is granted', async t => {
  const {admin, createMember, acme, base} = await setUp(t);
  const {project} = acme;
  let tried = 0;
  for (const place of [undefined, project]) {
    for (const own of orders) {
      const self = await createMember(acme.org, own, place ? {project: place} : {});
      const {key} = await admin.create(`${base}/service-keys`, {
        name: 'k',
        role: own,
        ...(place ? {project: place} : {}),
      });
      const byKey: Call = (method, path, body) =>
        admin.call(method, path, body, {token: String(key)});
      for (const wanted of orders) {
        for (const target of [undefined, project]) {
          const where = target ? {project: target} : {};
          const may =
            orders.indexOf(own) >= orders.indexOf('admin') &&
            orders.indexOf(own) >= orders.indexOf(wanted) &&
            (place === undefined || target !== undefined);
          for (const call of [self.call, byKey]) {
            for (const [path, body] of [
              ['members', {email: `m${tried}@y.de`, role: wanted, ...where}],
              ['service-keys', {name: `k${tried}`, role: wanted, ...where}],
              ['group-roles', {group: `g${tried}`, role: wanted, ...where}],
            ] as const) {
              tried += 1;
              const {status} = await call('POST', `${base}/${path}`, body);
              t.is(status, may ? 201 : 403, `${own} of ${place}: ${path} ${wanted} of ${target}`);
            }
          }
        }
      }
    }
  }
  t.is(tried, 384);
});
