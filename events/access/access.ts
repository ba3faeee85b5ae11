/**
Access: the words of who may do what in the admin API.

operator: who runs the platform, by the admin key or by a user's or session's flag. user, service: a person, a machine's
service key, a machine's token of the OpenID provider. grant: a role in an organisation, or in one project of it.
*/
import type {Request} from 'express';

/** Weakest first. */
export const roles = ['viewer', 'member', 'admin', 'owner'] as const;
export type Role = (typeof roles)[number];

export type Grant = Readonly<{
  org: string /** Absent: in all of it. */;
  project?: string;
  role: Role;
}>;

export type Actor = Readonly<{
  /** `database`: who changes models straight on PostgreSQL, by its role. */
  kind: 'operator' | 'user' | 'service' | 'machine' | 'database';
  id: string;
  /** An email, or the name of a key. For people to read. */
  name: string;
  isOperator: boolean;
  grants: readonly Grant[];
}>;

/** What an id is about. `project` is absent for what belongs to the organisation as a whole. */
export type Scope = Readonly<{
  org: string;
  project?: string;
  suspended: boolean;
  deleted: boolean;
}>;

/** What has an organisation, by the names that `scope_of` of the schema knows. */
export type SubjectKind =
  | 'org'
  | 'project'
  | 'key'
  | 'budget'
  | 'member'
  | 'groupRole'
  | 'serviceKey'
  | 'deadLetter'
  | 'audit'
  | 'request';

/** What an operation asks of who calls it: `x-access` of its OpenAPI document. */
export type Need = Readonly<{
  /** `anyone`: who is known at all; the handler shows them their own. */
  role: Role | 'operator' | 'anyone';
  /** Where the subject is the organisation as a whole; absent: `role`. */
  orgRole?: Role | 'operator';
  /** Where the subject is the organisation as a whole, any role in a project of it is a viewer's; the handler shows them their own. */
  projectMembers?: boolean;
  subjects: ReadonlyArray<
    Readonly<{
      kind: SubjectKind;
      in: 'path' | 'query' | 'body';
      name: string;
      /** Where that parameter is there this one only narrows what it names, and whose it is says nothing. */
      unless?: string;
    }>
  >;
}>;

export type Operation = Need & Readonly<{operation: string; method: string; path: string}>;

/** What the guard let through. */
export type Access = Readonly<{
  actor: Actor;
  operation: string;
  /** Of what the request names; absent where it names nothing, or the operator asks. */
  org?: string;
  /** Of the request, as its log line names it. */
  request?: string;
  /** Of the client. */
  address?: string;
}>;

/** As the triggers of the audit read it from the setting `sluice.actor`. */
export const auditedActor = ({actor, operation, request, address}: Access): string =>
  JSON.stringify({
    kind: actor.kind,
    id: actor.id,
    name: actor.name,
    operator: actor.isOperator,
    operation,
    request,
    address,
  });

/** Of a request that the guard has let through. */
export const accessOf = (request: Request): Access => {
  const access = request.res?.locals.access as Access | undefined;
  if (!access) {
    throw new Error(`no guard stands before ${request.method} ${request.path}`);
  }
  return access;
};
