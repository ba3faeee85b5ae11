/**
Rule: may this actor do this operation on these subjects?

In: an actor, what the operation needs, the scopes of the subjects that the request names. Out: allowed; forbidden, where who
asks knows that the subject is there; hidden, where it must look as if it were not.
*/
import {type Actor, type Need, type Role, roles, type Scope} from './access.ts';

export type Decision = 'allowed' | 'forbidden' | 'hidden';

/** The strongest role of an actor in a scope; a role in the organisation counts in every project of it. */
export const roleIn = (
  {grants}: Pick<Actor, 'grants'>,
  {org, project}: Pick<Scope, 'org' | 'project'>,
): Role | undefined =>
  roles.findLast(role =>
    grants.some(
      grant =>
        grant.role === role &&
        grant.org === org &&
        (grant.project === undefined || grant.project === project),
    ),
  );

/** The projects of an organisation that an actor may look into; undefined: all of them. */
export const projectsOf = (
  {isOperator, grants}: Pick<Actor, 'isOperator' | 'grants'>,
  org: string,
): readonly string[] | undefined => {
  const own = grants.filter(grant => grant.org === org);
  return isOperator || own.some(({project}) => project === undefined)
    ? undefined
    : own.flatMap(({project}) => project ?? []);
};

export const isAtLeast = (role: Role, needed: Role) => roles.indexOf(role) >= roles.indexOf(needed);

/**
`scopes` has one entry for each subject that the request names, undefined where there is none of that id. The narrowest decides: who
names a project beside its organisation needs a role in the project only. Subjects of two organisations are nobody's.
*/
export const decide = (
  actor: Actor,
  {role, orgRole = role === 'anyone' ? undefined : role, projectMembers = false}: Need,
  {scopes, changes}: {scopes: ReadonlyArray<Scope | undefined>; changes: boolean},
): Decision => {
  if (actor.isOperator || role === 'anyone') {
    return 'allowed';
  }
  const [first] = scopes;
  if (scopes.length === 0) {
    // Nothing named is everything there is.
    return 'forbidden';
  }
  const projects = new Set(scopes.flatMap(scope => scope?.project ?? []));
  if (
    !first ||
    projects.size > 1 ||
    scopes.some(scope => !scope || scope.deleted || scope.org !== first.org)
  ) {
    return 'hidden';
  }
  const [project] = projects;
  // A role in one project shows that the organisation is there; where the need says so, to look at it.
  const isNear = project === undefined && actor.grants.some(({org}) => org === first.org);
  const own =
    roleIn(actor, {org: first.org, ...(project === undefined ? {} : {project})}) ??
    (isNear && projectMembers ? 'viewer' : undefined);
  if (own === undefined) {
    return isNear ? 'forbidden' : 'hidden';
  }
  const needed = project === undefined ? (orgRole ?? role) : role;
  if (needed === 'operator' || !isAtLeast(own, needed) || (changes && first.suspended)) {
    return 'forbidden';
  }
  return 'allowed';
};
