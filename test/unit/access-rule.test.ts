import test from 'ava';
import fc from 'fast-check';
import {type Actor, type Grant, type Need, roles, type Scope} from '../../events/access/access.ts';
import {decide, isAtLeast, projectsOf, roleIn} from '../../events/access/rule.ts';

const orgs = ['red', 'blue'] as const;
const projects = {red: ['red-one', 'red-two'], blue: ['blue-one', 'blue-two']} as const;

const grant: fc.Arbitrary<Grant> = fc
  .record({
    org: fc.constantFrom(...orgs),
    place: fc.constantFrom(undefined, 0, 1),
    role: fc.constantFrom(...roles),
  })
  .map(({org, place, role}) => ({
    org,
    role,
    ...(place === undefined ? {} : {project: projects[org][place as 0 | 1]}),
  }));
const grants = fc.array(grant, {maxLength: 6});
const scope: fc.Arbitrary<Scope> = fc
  .record({
    org: fc.constantFrom(...orgs),
    place: fc.constantFrom(undefined, 0, 1),
    suspended: fc.boolean(),
    deleted: fc.boolean(),
  })
  .map(({org, place, suspended, deleted}) => ({
    org,
    suspended,
    deleted,
    ...(place === undefined ? {} : {project: projects[org][place as 0 | 1]}),
  }));
const scopes = fc.array(fc.option(scope, {nil: undefined}), {maxLength: 3});
const need: fc.Arbitrary<Need> = fc
  .record({
    role: fc.constantFrom(...roles, 'operator' as const),
    orgRole: fc.option(fc.constantFrom(...roles, 'operator' as const), {nil: undefined}),
    projectMembers: fc.boolean(),
  })
  .map(({role, orgRole, projectMembers}) => ({
    role,
    subjects: [],
    ...(orgRole === undefined ? {} : {orgRole}),
    ...(projectMembers && role === 'viewer' ? {projectMembers} : {}),
  }));
const request = fc.record({scopes, changes: fc.boolean()});

const actor = (own: readonly Grant[], isOperator = false): Actor => ({
  kind: 'user',
  id: 'someone',
  name: 'someone',
  isOperator,
  grants: own,
});

const weaker = (own: readonly Grant[]): Grant[] =>
  own.map(each => ({
    ...each,
    role: roles[Math.max(0, roles.indexOf(each.role) - 1)] as Grant['role'],
  }));

test('whoever may with weaker roles may with stronger ones', t => {
  fc.assert(
    fc.property(grants, need, request, (own, needed, asked) => {
      if (decide(actor(weaker(own)), needed, asked) === 'allowed') {
        t.is(decide(actor(own), needed, asked), 'allowed');
      }
    }),
    {numRuns: 5_000},
  );
});

test('one role more never takes anything away', t => {
  fc.assert(
    fc.property(grants, grant, need, request, (own, more, needed, asked) => {
      if (decide(actor(own), needed, asked) === 'allowed') {
        t.is(decide(actor([...own, more]), needed, asked), 'allowed');
      }
    }),
    {numRuns: 5_000},
  );
});

test('without a role in the organisation of every subject nothing is allowed, and nothing is shown to be there', t => {
  fc.assert(
    fc.property(grants, need, request, (own, needed, asked) => {
      const strange = asked.scopes.some(each => !own.some(({org}) => org === each?.org));
      if (strange) {
        t.is(decide(actor(own), needed, asked), 'hidden');
      }
    }),
    {numRuns: 5_000},
  );
});

test('a role in a project gives nothing in another project, and in the organisation no more than to see that it is there', t => {
  const ofProjects = grants.map(own => own.filter(({project}) => project !== undefined));
  fc.assert(
    fc.property(ofProjects, need, request, (own, needed, asked) => {
      const decision = decide(actor(own), needed, asked);
      const named = asked.scopes.flatMap(each => each?.project ?? []);
      if (decision === 'allowed' && named.length === 0) {
        t.true(needed.projectMembers);
        t.is(needed.orgRole ?? needed.role, 'viewer');
      } else if (decision === 'allowed') {
        t.true(own.some(({project}) => project === named[0]));
      }
    }),
    {numRuns: 5_000},
  );
});

test('subjects of two organisations or two projects, deleted ones, and none at all are nobody but the operator can name', t => {
  fc.assert(
    fc.property(grants, need, request, (own, needed, asked) => {
      const inOrgs = new Set(asked.scopes.map(each => each?.org));
      const inProjects = new Set(asked.scopes.flatMap(each => each?.project ?? []));
      if (inOrgs.size !== 1 || inProjects.size > 1 || asked.scopes.some(each => each?.deleted)) {
        t.not(decide(actor(own), needed, asked), 'allowed');
        t.is(decide(actor(own, true), needed, asked), 'allowed');
      }
    }),
    {numRuns: 5_000},
  );
});

test('in a suspended organisation everybody reads what they read, and nobody changes', t => {
  fc.assert(
    fc.property(grants, need, scopes, (own, needed, named) => {
      const suspended = named.map(each => each && {...each, suspended: true});
      t.not(decide(actor(own), needed, {scopes: suspended, changes: true}), 'allowed');
      t.is(
        decide(actor(own), needed, {scopes: suspended, changes: false}),
        decide(actor(own), needed, {scopes: named, changes: false}),
      );
    }),
    {numRuns: 5_000},
  );
});

test('what only the operator may no role reaches', t => {
  fc.assert(
    fc.property(grants, request, (own, asked) => {
      t.not(decide(actor(own), {role: 'operator', subjects: []}, asked), 'allowed');
    }),
  );
});

test('the strongest role counts, and one in the organisation counts in every project of it', t => {
  const own = [
    {org: 'red', role: 'viewer'},
    {org: 'red', project: 'red-one', role: 'admin'},
    {org: 'red', project: 'red-one', role: 'member'},
  ] as const;
  t.is(roleIn({grants: own}, {org: 'red'}), 'viewer');
  t.is(roleIn({grants: own}, {org: 'red', project: 'red-one'}), 'admin');
  t.is(roleIn({grants: own}, {org: 'red', project: 'red-two'}), 'viewer');
  t.is(roleIn({grants: own}, {org: 'blue'}), undefined);
});

test('roles are ordered', t => {
  for (const [index, role] of roles.entries()) {
    for (const [other, needed] of roles.entries()) {
      t.is(isAtLeast(role, needed), index >= other);
    }
  }
});

test('a list of projects is narrowed for whoever has roles in projects alone', t => {
  const inOne = {org: 'red', project: 'red-one', role: 'viewer'} as const;
  t.deepEqual(projectsOf(actor([inOne]), 'red'), ['red-one']);
  t.deepEqual(projectsOf(actor([inOne]), 'blue'), []);
  t.is(projectsOf(actor([inOne, {org: 'red', role: 'viewer'}]), 'red'), undefined);
  t.is(projectsOf(actor([], true), 'red'), undefined);
});
