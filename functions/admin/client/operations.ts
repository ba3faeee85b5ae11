/** Rendered from schemas/http/admin.yaml by `npm run render`; do not edit. */
import type {CallOptions, Route} from './route.ts';
import type {
  AuditEntry,
  Budget,
  BudgetChange,
  CreateKeyAnswer,
  CreateServiceKeyAnswer,
  DeadLetter,
  DeadLetterState,
  DeadLetterText,
  Email,
  EnvironmentOrAlias,
  GetOpenApiAnswer,
  GetUsageAnswer,
  GroupRole,
  Id,
  InstantOrDate,
  Key,
  KeyChange,
  KeyRotation,
  LedgerEntry,
  ListAuditAnswer,
  ListBudgetsAnswer,
  ListDeadLettersAnswer,
  ListGroupRolesAnswer,
  ListKeysAnswer,
  ListLedgerAnswer,
  ListMembersAnswer,
  ListModelsAnswer,
  ListOrgsAnswer,
  ListProjectsAnswer,
  ListServiceKeysAnswer,
  ListTopUpsAnswer,
  ListUsersAnswer,
  LoginLink,
  ManyDeadLetters,
  ManyDeadLettersDone,
  Me,
  Member,
  Model,
  ModelChange,
  ModelStatus,
  Name,
  NewBudget,
  NewGroupRole,
  NewKey,
  NewMember,
  NewModel,
  NewOrg,
  NewProject,
  NewServiceKey,
  NewTopUp,
  NewUser,
  Nothing,
  Org,
  OrgChange,
  OrgSuspension,
  Project,
  ProjectChange,
  PurgeOrgsAnswer,
  RequestExplanation,
  RoleChange,
  ServiceKey,
  TopUp,
  TopUpId,
  UsageRecord,
  User,
  UserChange,
  VerifyQuestion,
  VerifyReport,
} from './types.ts';

export type CreateOrgInput = Readonly<{
  /** A name of this request: within 24 hours the same request with it is answered the same and does nothing. One that was used for another is 422, one that is running 409. What was refused is not remembered. A secret is shown the first time only.  */
  idempotencyKey?: string;
  body: NewOrg;
}>;
export type ListOrgsInput = Readonly<{
  /** Only the one with exactly this name */
  name?: Name;
  /** The page after this one: `next` of the answer before */
  after?: Id;
  limit?: number;
}>;
export type GetMeInput = Readonly<Record<string, never>>;
export type GetOrgInput = Readonly<{
  org: Id;
  /** Only if the resource is in another state than those of these ETags; else 304 */
  ifNoneMatch?: string;
  /** Only if the resource is still in the state of one of these ETags, or `*`; else 412 */
  ifMatch?: string;
}>;
export type ChangeOrgInput = Readonly<{
  org: Id;
  /** Only if the resource is still in the state of one of these ETags, or `*`; else 412 */
  ifMatch?: string;
  body: OrgChange;
}>;
export type DeleteOrgInput = Readonly<{
  org: Id;
  /** Until the purge is due */
  retentionDays?: number;
  /** Only if the resource is still in the state of one of these ETags, or `*`; else 412 */
  ifMatch?: string;
  /** A name of this request: within 24 hours the same request with it is answered the same and does nothing. One that was used for another is 422, one that is running 409. What was refused is not remembered. A secret is shown the first time only.  */
  idempotencyKey?: string;
}>;
export type SuspendOrgInput = Readonly<{
  org: Id;
  /** Only if the resource is still in the state of one of these ETags, or `*`; else 412 */
  ifMatch?: string;
  /** A name of this request: within 24 hours the same request with it is answered the same and does nothing. One that was used for another is 422, one that is running 409. What was refused is not remembered. A secret is shown the first time only.  */
  idempotencyKey?: string;
  body: OrgSuspension;
}>;
export type ResumeOrgInput = Readonly<{
  org: Id;
  /** Only if the resource is still in the state of one of these ETags, or `*`; else 412 */
  ifMatch?: string;
  /** A name of this request: within 24 hours the same request with it is answered the same and does nothing. One that was used for another is 422, one that is running 409. What was refused is not remembered. A secret is shown the first time only.  */
  idempotencyKey?: string;
  body: Nothing;
}>;
export type RestoreOrgInput = Readonly<{
  org: Id;
  /** Only if the resource is still in the state of one of these ETags, or `*`; else 412 */
  ifMatch?: string;
  /** A name of this request: within 24 hours the same request with it is answered the same and does nothing. One that was used for another is 422, one that is running 409. What was refused is not remembered. A secret is shown the first time only.  */
  idempotencyKey?: string;
  body: Nothing;
}>;
export type PurgeOrgsInput = Readonly<{
  body: Nothing;
}>;
export type CreateProjectInput = Readonly<{
  org: Id;
  /** A name of this request: within 24 hours the same request with it is answered the same and does nothing. One that was used for another is 422, one that is running 409. What was refused is not remembered. A secret is shown the first time only.  */
  idempotencyKey?: string;
  body: NewProject;
}>;
export type ListProjectsInput = Readonly<{
  org: Id;
  /** The page after this one: `next` of the answer before */
  after?: Id;
  limit?: number;
}>;
export type GetProjectInput = Readonly<{
  id: Id;
  /** Only if the resource is in another state than those of these ETags; else 304 */
  ifNoneMatch?: string;
  /** Only if the resource is still in the state of one of these ETags, or `*`; else 412 */
  ifMatch?: string;
}>;
export type ChangeProjectInput = Readonly<{
  id: Id;
  /** Only if the resource is still in the state of one of these ETags, or `*`; else 412 */
  ifMatch?: string;
  body: ProjectChange;
}>;
export type DeleteProjectInput = Readonly<{
  id: Id;
  /** Whether running requests end too, on every gateway; what was streamed is charged */
  now?: boolean;
  /** Only if the resource is still in the state of one of these ETags, or `*`; else 412 */
  ifMatch?: string;
}>;
export type CreateKeyInput = Readonly<{
  project: Id;
  /** A name of this request: within 24 hours the same request with it is answered the same and does nothing. One that was used for another is 422, one that is running 409. What was refused is not remembered. A secret is shown the first time only.  */
  idempotencyKey?: string;
  body: NewKey;
}>;
export type ListKeysInput = Readonly<{
  project: Id;
  /** The page after this one: `next` of the answer before */
  after?: Id;
  limit?: number;
}>;
export type GetKeyInput = Readonly<{
  id: Id;
  /** Only if the resource is in another state than those of these ETags; else 304 */
  ifNoneMatch?: string;
  /** Only if the resource is still in the state of one of these ETags, or `*`; else 412 */
  ifMatch?: string;
}>;
export type ChangeKeyInput = Readonly<{
  id: Id;
  /** Only if the resource is still in the state of one of these ETags, or `*`; else 412 */
  ifMatch?: string;
  body: KeyChange;
}>;
export type RevokeKeyInput = Readonly<{
  id: Id;
  /** Whether running requests end too, on every gateway; what was streamed is charged */
  now?: boolean;
  /** Only if the resource is still in the state of one of these ETags, or `*`; else 412 */
  ifMatch?: string;
}>;
export type RotateKeyInput = Readonly<{
  id: Id;
  /** Only if the resource is still in the state of one of these ETags, or `*`; else 412 */
  ifMatch?: string;
  /** A name of this request: within 24 hours the same request with it is answered the same and does nothing. One that was used for another is 422, one that is running 409. What was refused is not remembered. A secret is shown the first time only.  */
  idempotencyKey?: string;
  body: KeyRotation;
}>;
export type CreateUserInput = Readonly<{
  /** A name of this request: within 24 hours the same request with it is answered the same and does nothing. One that was used for another is 422, one that is running 409. What was refused is not remembered. A secret is shown the first time only.  */
  idempotencyKey?: string;
  body: NewUser;
}>;
export type ListUsersInput = Readonly<{
  /** Only the one with this email, in whatever case */
  email?: Email;
  /** The page after this one: `next` of the answer before */
  after?: Id;
  limit?: number;
}>;
export type GetUserInput = Readonly<{
  id: Id;
  /** Only if the resource is in another state than those of these ETags; else 304 */
  ifNoneMatch?: string;
  /** Only if the resource is still in the state of one of these ETags, or `*`; else 412 */
  ifMatch?: string;
}>;
export type ChangeUserInput = Readonly<{
  id: Id;
  /** Only if the resource is still in the state of one of these ETags, or `*`; else 412 */
  ifMatch?: string;
  body: UserChange;
}>;
export type DeleteUserInput = Readonly<{
  id: Id;
  /** Only if the resource is still in the state of one of these ETags, or `*`; else 412 */
  ifMatch?: string;
}>;
export type CreateLoginLinkInput = Readonly<{
  id: Id;
  /** A name of this request: within 24 hours the same request with it is answered the same and does nothing. One that was used for another is 422, one that is running 409. What was refused is not remembered. A secret is shown the first time only.  */
  idempotencyKey?: string;
}>;
export type CreateMemberInput = Readonly<{
  org: Id;
  /** A name of this request: within 24 hours the same request with it is answered the same and does nothing. One that was used for another is 422, one that is running 409. What was refused is not remembered. A secret is shown the first time only.  */
  idempotencyKey?: string;
  body: NewMember;
}>;
export type ListMembersInput = Readonly<{
  org: Id;
  /** Only those of this project */
  project?: Id;
  /** Only the one with this email, in whatever case */
  email?: Email;
  /** The page after this one: `next` of the answer before */
  after?: Id;
  limit?: number;
}>;
export type GetMemberInput = Readonly<{
  id: Id;
  /** Only if the resource is in another state than those of these ETags; else 304 */
  ifNoneMatch?: string;
  /** Only if the resource is still in the state of one of these ETags, or `*`; else 412 */
  ifMatch?: string;
}>;
export type ChangeMemberInput = Readonly<{
  id: Id;
  /** Only if the resource is still in the state of one of these ETags, or `*`; else 412 */
  ifMatch?: string;
  body: RoleChange;
}>;
export type RemoveMemberInput = Readonly<{
  id: Id;
  /** Only if the resource is still in the state of one of these ETags, or `*`; else 412 */
  ifMatch?: string;
}>;
export type CreateGroupRoleInput = Readonly<{
  org: Id;
  /** A name of this request: within 24 hours the same request with it is answered the same and does nothing. One that was used for another is 422, one that is running 409. What was refused is not remembered. A secret is shown the first time only.  */
  idempotencyKey?: string;
  body: NewGroupRole;
}>;
export type ListGroupRolesInput = Readonly<{
  org: Id;
  /** Only those of this project */
  project?: Id;
  /** The page after this one: `next` of the answer before */
  after?: Id;
  limit?: number;
}>;
export type GetGroupRoleInput = Readonly<{
  id: Id;
  /** Only if the resource is in another state than those of these ETags; else 304 */
  ifNoneMatch?: string;
  /** Only if the resource is still in the state of one of these ETags, or `*`; else 412 */
  ifMatch?: string;
}>;
export type ChangeGroupRoleInput = Readonly<{
  id: Id;
  /** Only if the resource is still in the state of one of these ETags, or `*`; else 412 */
  ifMatch?: string;
  body: RoleChange;
}>;
export type RemoveGroupRoleInput = Readonly<{
  id: Id;
  /** Only if the resource is still in the state of one of these ETags, or `*`; else 412 */
  ifMatch?: string;
}>;
export type CreateServiceKeyInput = Readonly<{
  org: Id;
  /** A name of this request: within 24 hours the same request with it is answered the same and does nothing. One that was used for another is 422, one that is running 409. What was refused is not remembered. A secret is shown the first time only.  */
  idempotencyKey?: string;
  body: NewServiceKey;
}>;
export type ListServiceKeysInput = Readonly<{
  org: Id;
  /** Only those of this project */
  project?: Id;
  /** The page after this one: `next` of the answer before */
  after?: Id;
  limit?: number;
}>;
export type GetServiceKeyInput = Readonly<{
  id: Id;
  /** Only if the resource is in another state than those of these ETags; else 304 */
  ifNoneMatch?: string;
  /** Only if the resource is still in the state of one of these ETags, or `*`; else 412 */
  ifMatch?: string;
}>;
export type RevokeServiceKeyInput = Readonly<{
  id: Id;
  /** Only if the resource is still in the state of one of these ETags, or `*`; else 412 */
  ifMatch?: string;
}>;
export type CreateBudgetInput = Readonly<{
  /** A name of this request: within 24 hours the same request with it is answered the same and does nothing. One that was used for another is 422, one that is running 409. What was refused is not remembered. A secret is shown the first time only.  */
  idempotencyKey?: string;
  body: NewBudget;
}>;
export type ListBudgetsInput = Readonly<{
  org: Id;
  /** Only of this project and its keys */
  project?: Id;
  /** The page after this one: `next` of the answer before */
  after?: Id;
  limit?: number;
}>;
export type GetBudgetInput = Readonly<{
  id: Id;
  /** Only if the resource is in another state than those of these ETags; else 304 */
  ifNoneMatch?: string;
  /** Only if the resource is still in the state of one of these ETags, or `*`; else 412 */
  ifMatch?: string;
}>;
export type ChangeBudgetInput = Readonly<{
  id: Id;
  /** Only if the resource is still in the state of one of these ETags, or `*`; else 412 */
  ifMatch?: string;
  body: BudgetChange;
}>;
export type CreateTopUpInput = Readonly<{
  id: Id;
  /** A name of this request: within 24 hours the same request with it is answered the same and does nothing. One that was used for another is 422, one that is running 409. What was refused is not remembered. A secret is shown the first time only.  */
  idempotencyKey?: string;
  body: NewTopUp;
}>;
export type ListTopUpsInput = Readonly<{
  id: Id;
  /** The page after this one: `next` of the answer before */
  after?: TopUpId;
  limit?: number;
}>;
export type ListLedgerInput = Readonly<{
  /** What the gateway answers as x-request-id */
  request?: Id;
  org?: Id;
  /** The first accounting instant */
  from?: InstantOrDate;
  /** The first instant after */
  to?: InstantOrDate;
  /** The page after this one: `next` of the answer before */
  after?: string;
  limit?: number;
}>;
export type ExplainRequestInput = Readonly<{
  id: Id;
  /** Only if it is of this organisation; without it, whosever it is */
  org?: Id;
}>;
export type ListDeadLettersInput = Readonly<{
  /** Without it, those of all and of none */
  org?: Id;
  subscription?: DeadLetterText;
  type?: DeadLetterText;
  since?: InstantOrDate;
  /** Without it, all */
  state?: DeadLetterState;
  /** The page after this one: `next` of the answer before */
  after?: string;
  limit?: number;
}>;
export type RedriveDeadLettersInput = Readonly<{
  body: ManyDeadLetters;
}>;
export type DropDeadLettersInput = Readonly<{
  body: ManyDeadLetters;
}>;
export type GetDeadLetterInput = Readonly<{
  id: Id;
  /** Only if the resource is in another state than those of these ETags; else 304 */
  ifNoneMatch?: string;
  /** Only if the resource is still in the state of one of these ETags, or `*`; else 412 */
  ifMatch?: string;
}>;
export type RedriveDeadLetterInput = Readonly<{
  id: Id;
}>;
export type DropDeadLetterInput = Readonly<{
  id: Id;
}>;
export type GetUsageInput = Readonly<{
  /** Without it, all of them */
  org?: Id;
  project?: Id;
  key?: Id;
  model?: string;
  environment?: EnvironmentOrAlias;
  from?: InstantOrDate;
  to?: InstantOrDate;
  /** A comma-separated list of org, project, key, model, endpoint, environment */
  groupBy?: string;
  granularity?: 'hour' | 'day' | 'month' | 'total';
}>;
export type ExportUsageInput = Readonly<{
  org: Id;
  project?: Id;
  key?: Id;
  model?: string;
  environment?: EnvironmentOrAlias;
  from?: InstantOrDate;
  to?: InstantOrDate;
  granularity?: 'record' | 'hour' | 'day';
  format?: 'csv' | 'json';
}>;
export type GetUsageRecordInput = Readonly<{
  org: Id;
  request: Id;
}>;
export type VerifyUsageInput = Readonly<{
  body?: VerifyQuestion;
}>;
export type RegisterModelInput = Readonly<{
  body: NewModel;
}>;
export type ListModelsInput = Readonly<{
  environment?: EnvironmentOrAlias;
  status?: ModelStatus;
  /** The page after this one: `next` of the answer before */
  after?: string;
  limit?: number;
}>;
export type GetModelInput = Readonly<{
  id: Id;
  /** Only if the resource is in another state than those of these ETags; else 304 */
  ifNoneMatch?: string;
  /** Only if the resource is still in the state of one of these ETags, or `*`; else 412 */
  ifMatch?: string;
}>;
export type ChangeModelInput = Readonly<{
  id: Id;
  /** Only if the resource is still in the state of one of these ETags, or `*`; else 412 */
  ifMatch?: string;
  body: ModelChange;
}>;
export type RemoveModelInput = Readonly<{
  id: Id;
  /** Only if the resource is still in the state of one of these ETags, or `*`; else 412 */
  ifMatch?: string;
}>;
export type EnableModelInput = Readonly<{
  id: Id;
}>;
export type DisableModelInput = Readonly<{
  id: Id;
}>;
export type ProbeModelInput = Readonly<{
  id: Id;
}>;
export type ListAuditInput = Readonly<{
  org?: Id;
  /** Who did it: an id, an email or the name of a key */
  actor?: string;
  /** An operationId of this document */
  operation?: string;
  subjectKind?: string;
  /** What was changed */
  subject?: Id;
  /** The first instant */
  from?: InstantOrDate;
  /** The first instant after */
  to?: InstantOrDate;
  /** The page after this one: `next` of the answer before */
  after?: Id;
  limit?: number;
}>;
export type GetAuditInput = Readonly<{
  id: Id;
  /** Only if the resource is in another state than those of these ETags; else 304 */
  ifNoneMatch?: string;
  /** Only if the resource is still in the state of one of these ETags, or `*`; else 412 */
  ifMatch?: string;
}>;
export type GetOpenApiInput = Readonly<Record<string, never>>;

export type Operations = Readonly<{
  /** Creates an organisation. Errors: 400, 401, 403, 409, 413, 415, 422, 429, 503. */
  createOrg(input: CreateOrgInput, options?: CallOptions): Promise<Org>;
  /** Lists organisations, in the order of their creation; all, deleted ones too, to the operator, else those of who asks. Errors: 400, 401, 503. */
  listOrgs(input?: ListOrgsInput, options?: CallOptions): Promise<ListOrgsAnswer>;
  /** Shows who asks, and what they may. Errors: 400, 401, 503. */
  getMe(input?: GetMeInput, options?: CallOptions): Promise<Me>;
  /** Shows an organisation. Errors: 400, 401, 403, 404, 412, 503. */
  getOrg(input: GetOrgInput, options?: CallOptions): Promise<Org>;
  /** Changes an organisation's name and limits. Errors: 400, 401, 403, 404, 409, 412, 413, 415, 503. */
  changeOrg(input: ChangeOrgInput, options?: CallOptions): Promise<Org>;
  /** Deletes an organisation; until the purge it can be restored. Errors: 400, 401, 403, 404, 409, 412, 422, 429, 503. */
  deleteOrg(input: DeleteOrgInput, options?: CallOptions): Promise<Org>;
  /** Suspends an organisation; with `now` its running requests end too. Errors: 400, 401, 403, 404, 409, 412, 413, 415, 422, 429, 503. */
  suspendOrg(input: SuspendOrgInput, options?: CallOptions): Promise<Org>;
  /** Lets a suspended organisation use its keys again. Errors: 400, 401, 403, 404, 409, 412, 413, 415, 422, 429, 503. */
  resumeOrg(input: ResumeOrgInput, options?: CallOptions): Promise<Org>;
  /** Restores a deleted organisation as it was. Errors: 400, 401, 403, 404, 409, 412, 413, 415, 422, 429, 503. */
  restoreOrg(input: RestoreOrgInput, options?: CallOptions): Promise<Org>;
  /** Purges deleted organisations whose retention is over, as the daily tick does. Errors: 400, 401, 403, 413, 415, 503. */
  purgeOrgs(input: PurgeOrgsInput, options?: CallOptions): Promise<PurgeOrgsAnswer>;
  /** Creates a project. Errors: 400, 401, 403, 404, 409, 413, 415, 422, 429, 503. */
  createProject(input: CreateProjectInput, options?: CallOptions): Promise<Project>;
  /** Lists the projects of an organisation. Errors: 400, 401, 403, 404, 503. */
  listProjects(input: ListProjectsInput, options?: CallOptions): Promise<ListProjectsAnswer>;
  /** Shows a project. Errors: 400, 401, 403, 404, 412, 503. */
  getProject(input: GetProjectInput, options?: CallOptions): Promise<Project>;
  /** Changes a project's name, its limits, what an unsettled request costs, whether results are kept. Errors: 400, 401, 403, 404, 409, 412, 413, 415, 503. */
  changeProject(input: ChangeProjectInput, options?: CallOptions): Promise<Project>;
  /** Deletes a project and revokes its keys; its budgets and ledger stay, its name is free again. Errors: 400, 401, 403, 404, 412, 503. */
  deleteProject(input: DeleteProjectInput, options?: CallOptions): Promise<void>;
  /** Creates an API key and shows it, this once. Errors: 400, 401, 403, 404, 409, 413, 415, 422, 429, 503. */
  createKey(input: CreateKeyInput, options?: CallOptions): Promise<CreateKeyAnswer>;
  /** Lists the keys of a project, revoked ones too. Errors: 400, 401, 403, 404, 503. */
  listKeys(input: ListKeysInput, options?: CallOptions): Promise<ListKeysAnswer>;
  /** Shows a key, without its secret. Errors: 400, 401, 403, 404, 412, 503. */
  getKey(input: GetKeyInput, options?: CallOptions): Promise<Key>;
  /** Changes what a key may do, and its limits. Errors: 400, 401, 403, 404, 409, 412, 413, 415, 503. */
  changeKey(input: ChangeKeyInput, options?: CallOptions): Promise<Key>;
  /** Revokes a key; a gateway that can read the database refuses it within a second. Errors: 400, 401, 403, 404, 412, 503. */
  revokeKey(input: RevokeKeyInput, options?: CallOptions): Promise<void>;
  /** Gives a key a new secret and shows it, this once. Errors: 400, 401, 403, 404, 409, 412, 413, 415, 422, 429, 503. */
  rotateKey(input: RotateKeyInput, options?: CallOptions): Promise<Key>;
  /** Creates a user. Errors: 400, 401, 403, 409, 413, 415, 422, 429, 503. */
  createUser(input: CreateUserInput, options?: CallOptions): Promise<User>;
  /** Lists users. Errors: 400, 401, 403, 503. */
  listUsers(input?: ListUsersInput, options?: CallOptions): Promise<ListUsersAnswer>;
  /** Shows a user. Errors: 400, 401, 403, 404, 412, 503. */
  getUser(input: GetUserInput, options?: CallOptions): Promise<User>;
  /** Renames a user, makes them an operator or no more, disables or enables them. Errors: 400, 401, 403, 404, 412, 413, 415, 503. */
  changeUser(input: ChangeUserInput, options?: CallOptions): Promise<User>;
  /** Deletes a user with all memberships and sessions; the audit keeps what they did. Errors: 400, 401, 403, 404, 412, 503. */
  deleteUser(input: DeleteUserInput, options?: CallOptions): Promise<void>;
  /** Makes a link by which a user logs in once without a provider, and shows it, this once. Errors: 400, 401, 403, 404, 409, 413, 422, 429, 503. */
  createLoginLink(input: CreateLoginLinkInput, options?: CallOptions): Promise<LoginLink>;
  /** Gives a person, by their email, a role in an organisation or in one project of it. Errors: 400, 401, 403, 404, 409, 413, 415, 422, 429, 503. */
  createMember(input: CreateMemberInput, options?: CallOptions): Promise<Member>;
  /** Lists who has a role in an organisation or in one project of it. Errors: 400, 401, 403, 404, 503. */
  listMembers(input: ListMembersInput, options?: CallOptions): Promise<ListMembersAnswer>;
  /** Shows a member. Errors: 400, 401, 403, 404, 412, 503. */
  getMember(input: GetMemberInput, options?: CallOptions): Promise<Member>;
  /** Gives a member another role. Errors: 400, 401, 403, 404, 409, 412, 413, 415, 503. */
  changeMember(input: ChangeMemberInput, options?: CallOptions): Promise<Member>;
  /** Takes a role away from a member. Errors: 400, 401, 403, 404, 409, 412, 503. */
  removeMember(input: RemoveMemberInput, options?: CallOptions): Promise<void>;
  /** Gives whoever is in a group of the OpenID provider a role in an organisation or in one project of it. Errors: 400, 401, 403, 404, 409, 413, 415, 422, 429, 503. */
  createGroupRole(input: CreateGroupRoleInput, options?: CallOptions): Promise<GroupRole>;
  /** Lists what the groups of the OpenID provider are worth in an organisation. Errors: 400, 401, 403, 404, 503. */
  listGroupRoles(input: ListGroupRolesInput, options?: CallOptions): Promise<ListGroupRolesAnswer>;
  /** Shows what a group is worth. Errors: 400, 401, 403, 404, 412, 503. */
  getGroupRole(input: GetGroupRoleInput, options?: CallOptions): Promise<GroupRole>;
  /** Gives a group another role. Errors: 400, 401, 403, 404, 412, 413, 415, 503. */
  changeGroupRole(input: ChangeGroupRoleInput, options?: CallOptions): Promise<GroupRole>;
  /** Takes a role away from a group. Errors: 400, 401, 403, 404, 412, 503. */
  removeGroupRole(input: RemoveGroupRoleInput, options?: CallOptions): Promise<void>;
  /** Creates a machine's key for this API and shows it, this once. Errors: 400, 401, 403, 404, 409, 413, 415, 422, 429, 503. */
  createServiceKey(
    input: CreateServiceKeyInput,
    options?: CallOptions,
  ): Promise<CreateServiceKeyAnswer>;
  /** Lists the service keys of an organisation, revoked ones too. Errors: 400, 401, 403, 404, 503. */
  listServiceKeys(
    input: ListServiceKeysInput,
    options?: CallOptions,
  ): Promise<ListServiceKeysAnswer>;
  /** Shows a service key, without its secret. Errors: 400, 401, 403, 404, 412, 503. */
  getServiceKey(input: GetServiceKeyInput, options?: CallOptions): Promise<ServiceKey>;
  /** Revokes a service key; it is refused from then on. Errors: 400, 401, 403, 404, 412, 503. */
  revokeServiceKey(input: RevokeServiceKeyInput, options?: CallOptions): Promise<void>;
  /** Limits what an organisation, a project or a key may spend in a period. Errors: 400, 401, 403, 404, 409, 413, 415, 422, 429, 503. */
  createBudget(input: CreateBudgetInput, options?: CallOptions): Promise<Budget>;
  /** Lists the budgets of an organisation, of its projects and keys. Errors: 400, 401, 403, 404, 503. */
  listBudgets(input: ListBudgetsInput, options?: CallOptions): Promise<ListBudgetsAnswer>;
  /** Shows a budget and how much of it is spent. Errors: 400, 401, 403, 404, 412, 503. */
  getBudget(input: GetBudgetInput, options?: CallOptions): Promise<Budget>;
  /** Sets the limit or the thresholds of a budget, pauses or resumes it. Errors: 400, 401, 403, 404, 412, 413, 415, 503. */
  changeBudget(input: ChangeBudgetInput, options?: CallOptions): Promise<Budget>;
  /** Adds to the limit of the current window, which is opened where no request has; the next window has the limit alone. Errors: 400, 401, 403, 404, 409, 413, 415, 422, 429, 503. */
  createTopUp(input: CreateTopUpInput, options?: CallOptions): Promise<TopUp>;
  /** Lists what was added to a budget, of all its windows, oldest first. Errors: 400, 401, 403, 404, 503. */
  listTopUps(input: ListTopUpsInput, options?: CallOptions): Promise<ListTopUpsAnswer>;
  /** Shows what was charged, for one request or for an organisation, newest first. Errors: 400, 401, 403, 404, 503. */
  listLedger(input?: ListLedgerInput, options?: CallOptions): Promise<ListLedgerAnswer>;
  /** Explains a request by the id that its answer carried as x-request-id, refused ones of the last day too. Errors: 400, 401, 403, 404, 503. */
  explainRequest(input: ExplainRequestInput, options?: CallOptions): Promise<RequestExplanation>;
  /** Lists events that could not be handled or delivered, newest first, without what was in them. Errors: 400, 401, 403, 404, 503. */
  listDeadLetters(
    input?: ListDeadLettersInput,
    options?: CallOptions,
  ): Promise<ListDeadLettersAnswer>;
  /** Publishes many events again, oldest first; a letter is redriven once, however many ask. Errors: 400, 401, 403, 413, 415, 503. */
  redriveDeadLetters(
    input: RedriveDeadLettersInput,
    options?: CallOptions,
  ): Promise<ManyDeadLettersDone>;
  /** Gives many events up; that they were stays, what was in them goes. Errors: 400, 401, 403, 413, 415, 503. */
  dropDeadLetters(input: DropDeadLettersInput, options?: CallOptions): Promise<ManyDeadLettersDone>;
  /** Shows a dead letter with its event and what the receiver said. Errors: 400, 401, 403, 404, 412, 503. */
  getDeadLetter(input: GetDeadLetterInput, options?: CallOptions): Promise<DeadLetter>;
  /** Publishes the event again where it came from, with the letter's id in its attribute `redriven`. Errors: 400, 401, 403, 404, 409, 503. */
  redriveDeadLetter(input: RedriveDeadLetterInput, options?: CallOptions): Promise<DeadLetter>;
  /** Gives an event up; that it was stays, what was in it goes. Errors: 400, 401, 403, 404, 409, 503. */
  dropDeadLetter(input: DropDeadLetterInput, options?: CallOptions): Promise<DeadLetter>;
  /** Sums requests, tokens and cost. Errors: 400, 401, 403, 404, 503. */
  getUsage(input?: GetUsageInput, options?: CallOptions): Promise<GetUsageAnswer>;
  /** Exports all records, hours or days of an organisation, as a stream. Errors: 400, 401, 403, 404, 503. */
  exportUsage(input: ExportUsageInput, options?: CallOptions): AsyncIterable<string>;
  /** Shows the usage record of one request. Errors: 400, 401, 403, 404, 503. */
  getUsageRecord(input: GetUsageRecordInput, options?: CallOptions): Promise<UsageRecord>;
  /** Compares ledger, usage records, windows and the model servers' own counters. Errors: 400, 401, 403, 409, 413, 415, 503. */
  verifyUsage(input?: VerifyUsageInput, options?: CallOptions): Promise<VerifyReport>;
  /** Registers a model, or replaces what was registered under the same name and environment. Errors: 400, 401, 403, 409, 413, 415, 503. */
  registerModel(input: RegisterModelInput, options?: CallOptions): Promise<Model>;
  /** Lists models. Errors: 400, 401, 403, 503. */
  listModels(input?: ListModelsInput, options?: CallOptions): Promise<ListModelsAnswer>;
  /** Shows a model. Errors: 400, 401, 403, 404, 412, 503. */
  getModel(input: GetModelInput, options?: CallOptions): Promise<Model>;
  /** Changes a model's limits, which count everybody's requests, and how requests are routed to it. Errors: 400, 401, 403, 404, 412, 413, 415, 503. */
  changeModel(input: ChangeModelInput, options?: CallOptions): Promise<Model>;
  /** Removes a model; what was charged for it stays in the ledger. Errors: 400, 401, 403, 404, 412, 503. */
  removeModel(input: RemoveModelInput, options?: CallOptions): Promise<void>;
  /** Lets gateways route to a model. Errors: 400, 401, 403, 404, 409, 503. */
  enableModel(input: EnableModelInput, options?: CallOptions): Promise<Model>;
  /** Takes a model away from gateways until it is enabled. Errors: 400, 401, 403, 404, 503. */
  disableModel(input: DisableModelInput, options?: CallOptions): Promise<Model>;
  /** Asks every endpoint of a model now how it is. Errors: 400, 401, 403, 404, 503. */
  probeModel(input: ProbeModelInput, options?: CallOptions): Promise<Model>;
  /** Lists who changed what, newest first. Errors: 400, 401, 403, 404, 503. */
  listAudit(input?: ListAuditInput, options?: CallOptions): Promise<ListAuditAnswer>;
  /** Shows an entry of the audit. Errors: 400, 401, 403, 404, 412, 503. */
  getAudit(input: GetAuditInput, options?: CallOptions): Promise<AuditEntry>;
  /** Shows this document, as JSON. Errors: 400, 401, 503. */
  getOpenApi(input?: GetOpenApiInput, options?: CallOptions): Promise<GetOpenApiAnswer>;
}>;

/** Of the document. */
export const apiVersion = '1.0.0';

/** Lists, each to its end. */
export type Lists = Readonly<{
  /** Lists organisations, in the order of their creation; all, deleted ones too, to the operator, else those of who asks. Errors: 400, 401, 503. */
  listOrgs(input?: ListOrgsInput, options?: CallOptions): AsyncIterable<Org>;
  /** Lists the projects of an organisation. Errors: 400, 401, 403, 404, 503. */
  listProjects(input: ListProjectsInput, options?: CallOptions): AsyncIterable<Project>;
  /** Lists the keys of a project, revoked ones too. Errors: 400, 401, 403, 404, 503. */
  listKeys(input: ListKeysInput, options?: CallOptions): AsyncIterable<Key>;
  /** Lists users. Errors: 400, 401, 403, 503. */
  listUsers(input?: ListUsersInput, options?: CallOptions): AsyncIterable<User>;
  /** Lists who has a role in an organisation or in one project of it. Errors: 400, 401, 403, 404, 503. */
  listMembers(input: ListMembersInput, options?: CallOptions): AsyncIterable<Member>;
  /** Lists what the groups of the OpenID provider are worth in an organisation. Errors: 400, 401, 403, 404, 503. */
  listGroupRoles(input: ListGroupRolesInput, options?: CallOptions): AsyncIterable<GroupRole>;
  /** Lists the service keys of an organisation, revoked ones too. Errors: 400, 401, 403, 404, 503. */
  listServiceKeys(input: ListServiceKeysInput, options?: CallOptions): AsyncIterable<ServiceKey>;
  /** Lists the budgets of an organisation, of its projects and keys. Errors: 400, 401, 403, 404, 503. */
  listBudgets(input: ListBudgetsInput, options?: CallOptions): AsyncIterable<Budget>;
  /** Lists what was added to a budget, of all its windows, oldest first. Errors: 400, 401, 403, 404, 503. */
  listTopUps(input: ListTopUpsInput, options?: CallOptions): AsyncIterable<TopUp>;
  /** Shows what was charged, for one request or for an organisation, newest first. Errors: 400, 401, 403, 404, 503. */
  listLedger(input?: ListLedgerInput, options?: CallOptions): AsyncIterable<LedgerEntry>;
  /** Lists events that could not be handled or delivered, newest first, without what was in them. Errors: 400, 401, 403, 404, 503. */
  listDeadLetters(input?: ListDeadLettersInput, options?: CallOptions): AsyncIterable<DeadLetter>;
  /** Lists models. Errors: 400, 401, 403, 503. */
  listModels(input?: ListModelsInput, options?: CallOptions): AsyncIterable<Model>;
  /** Lists who changed what, newest first. Errors: 400, 401, 403, 404, 503. */
  listAudit(input?: ListAuditInput, options?: CallOptions): AsyncIterable<AuditEntry>;
}>;

export const listNames = [
  'listOrgs',
  'listProjects',
  'listKeys',
  'listUsers',
  'listMembers',
  'listGroupRoles',
  'listServiceKeys',
  'listBudgets',
  'listTopUps',
  'listLedger',
  'listDeadLetters',
  'listModels',
  'listAudit',
] as const satisfies readonly (keyof Lists)[];

export const routes: Readonly<Record<keyof Operations, Route>> = {
  createOrg: {
    method: 'POST',
    path: '/admin/v1/orgs',
    query: [],
    headers: {idempotencyKey: 'Idempotency-Key'},
    answer: 'json',
  },
  listOrgs: {
    method: 'GET',
    path: '/admin/v1/orgs',
    query: ['name', 'after', 'limit'],
    headers: {},
    answer: 'json',
  },
  getMe: {method: 'GET', path: '/admin/v1/me', query: [], headers: {}, answer: 'json'},
  getOrg: {
    method: 'GET',
    path: '/admin/v1/orgs/{org}',
    query: [],
    headers: {ifNoneMatch: 'If-None-Match', ifMatch: 'If-Match'},
    answer: 'json',
  },
  changeOrg: {
    method: 'PATCH',
    path: '/admin/v1/orgs/{org}',
    query: [],
    headers: {ifMatch: 'If-Match'},
    answer: 'json',
  },
  deleteOrg: {
    method: 'DELETE',
    path: '/admin/v1/orgs/{org}',
    query: ['retentionDays'],
    headers: {ifMatch: 'If-Match', idempotencyKey: 'Idempotency-Key'},
    answer: 'json',
  },
  suspendOrg: {
    method: 'POST',
    path: '/admin/v1/orgs/{org}/suspend',
    query: [],
    headers: {ifMatch: 'If-Match', idempotencyKey: 'Idempotency-Key'},
    answer: 'json',
  },
  resumeOrg: {
    method: 'POST',
    path: '/admin/v1/orgs/{org}/resume',
    query: [],
    headers: {ifMatch: 'If-Match', idempotencyKey: 'Idempotency-Key'},
    answer: 'json',
  },
  restoreOrg: {
    method: 'POST',
    path: '/admin/v1/orgs/{org}/restore',
    query: [],
    headers: {ifMatch: 'If-Match', idempotencyKey: 'Idempotency-Key'},
    answer: 'json',
  },
  purgeOrgs: {method: 'POST', path: '/admin/v1/orgs/purge', query: [], headers: {}, answer: 'json'},
  createProject: {
    method: 'POST',
    path: '/admin/v1/orgs/{org}/projects',
    query: [],
    headers: {idempotencyKey: 'Idempotency-Key'},
    answer: 'json',
  },
  listProjects: {
    method: 'GET',
    path: '/admin/v1/orgs/{org}/projects',
    query: ['after', 'limit'],
    headers: {},
    answer: 'json',
  },
  getProject: {
    method: 'GET',
    path: '/admin/v1/projects/{id}',
    query: [],
    headers: {ifNoneMatch: 'If-None-Match', ifMatch: 'If-Match'},
    answer: 'json',
  },
  changeProject: {
    method: 'PATCH',
    path: '/admin/v1/projects/{id}',
    query: [],
    headers: {ifMatch: 'If-Match'},
    answer: 'json',
  },
  deleteProject: {
    method: 'DELETE',
    path: '/admin/v1/projects/{id}',
    query: ['now'],
    headers: {ifMatch: 'If-Match'},
    answer: 'none',
  },
  createKey: {
    method: 'POST',
    path: '/admin/v1/projects/{project}/keys',
    query: [],
    headers: {idempotencyKey: 'Idempotency-Key'},
    answer: 'json',
  },
  listKeys: {
    method: 'GET',
    path: '/admin/v1/projects/{project}/keys',
    query: ['after', 'limit'],
    headers: {},
    answer: 'json',
  },
  getKey: {
    method: 'GET',
    path: '/admin/v1/keys/{id}',
    query: [],
    headers: {ifNoneMatch: 'If-None-Match', ifMatch: 'If-Match'},
    answer: 'json',
  },
  changeKey: {
    method: 'PATCH',
    path: '/admin/v1/keys/{id}',
    query: [],
    headers: {ifMatch: 'If-Match'},
    answer: 'json',
  },
  revokeKey: {
    method: 'DELETE',
    path: '/admin/v1/keys/{id}',
    query: ['now'],
    headers: {ifMatch: 'If-Match'},
    answer: 'none',
  },
  rotateKey: {
    method: 'POST',
    path: '/admin/v1/keys/{id}/rotate',
    query: [],
    headers: {ifMatch: 'If-Match', idempotencyKey: 'Idempotency-Key'},
    answer: 'json',
  },
  createUser: {
    method: 'POST',
    path: '/admin/v1/users',
    query: [],
    headers: {idempotencyKey: 'Idempotency-Key'},
    answer: 'json',
  },
  listUsers: {
    method: 'GET',
    path: '/admin/v1/users',
    query: ['email', 'after', 'limit'],
    headers: {},
    answer: 'json',
  },
  getUser: {
    method: 'GET',
    path: '/admin/v1/users/{id}',
    query: [],
    headers: {ifNoneMatch: 'If-None-Match', ifMatch: 'If-Match'},
    answer: 'json',
  },
  changeUser: {
    method: 'PATCH',
    path: '/admin/v1/users/{id}',
    query: [],
    headers: {ifMatch: 'If-Match'},
    answer: 'json',
  },
  deleteUser: {
    method: 'DELETE',
    path: '/admin/v1/users/{id}',
    query: [],
    headers: {ifMatch: 'If-Match'},
    answer: 'none',
  },
  createLoginLink: {
    method: 'POST',
    path: '/admin/v1/users/{id}/login-links',
    query: [],
    headers: {idempotencyKey: 'Idempotency-Key'},
    answer: 'json',
  },
  createMember: {
    method: 'POST',
    path: '/admin/v1/orgs/{org}/members',
    query: [],
    headers: {idempotencyKey: 'Idempotency-Key'},
    answer: 'json',
  },
  listMembers: {
    method: 'GET',
    path: '/admin/v1/orgs/{org}/members',
    query: ['project', 'email', 'after', 'limit'],
    headers: {},
    answer: 'json',
  },
  getMember: {
    method: 'GET',
    path: '/admin/v1/members/{id}',
    query: [],
    headers: {ifNoneMatch: 'If-None-Match', ifMatch: 'If-Match'},
    answer: 'json',
  },
  changeMember: {
    method: 'PATCH',
    path: '/admin/v1/members/{id}',
    query: [],
    headers: {ifMatch: 'If-Match'},
    answer: 'json',
  },
  removeMember: {
    method: 'DELETE',
    path: '/admin/v1/members/{id}',
    query: [],
    headers: {ifMatch: 'If-Match'},
    answer: 'none',
  },
  createGroupRole: {
    method: 'POST',
    path: '/admin/v1/orgs/{org}/group-roles',
    query: [],
    headers: {idempotencyKey: 'Idempotency-Key'},
    answer: 'json',
  },
  listGroupRoles: {
    method: 'GET',
    path: '/admin/v1/orgs/{org}/group-roles',
    query: ['project', 'after', 'limit'],
    headers: {},
    answer: 'json',
  },
  getGroupRole: {
    method: 'GET',
    path: '/admin/v1/group-roles/{id}',
    query: [],
    headers: {ifNoneMatch: 'If-None-Match', ifMatch: 'If-Match'},
    answer: 'json',
  },
  changeGroupRole: {
    method: 'PATCH',
    path: '/admin/v1/group-roles/{id}',
    query: [],
    headers: {ifMatch: 'If-Match'},
    answer: 'json',
  },
  removeGroupRole: {
    method: 'DELETE',
    path: '/admin/v1/group-roles/{id}',
    query: [],
    headers: {ifMatch: 'If-Match'},
    answer: 'none',
  },
  createServiceKey: {
    method: 'POST',
    path: '/admin/v1/orgs/{org}/service-keys',
    query: [],
    headers: {idempotencyKey: 'Idempotency-Key'},
    answer: 'json',
  },
  listServiceKeys: {
    method: 'GET',
    path: '/admin/v1/orgs/{org}/service-keys',
    query: ['project', 'after', 'limit'],
    headers: {},
    answer: 'json',
  },
  getServiceKey: {
    method: 'GET',
    path: '/admin/v1/service-keys/{id}',
    query: [],
    headers: {ifNoneMatch: 'If-None-Match', ifMatch: 'If-Match'},
    answer: 'json',
  },
  revokeServiceKey: {
    method: 'DELETE',
    path: '/admin/v1/service-keys/{id}',
    query: [],
    headers: {ifMatch: 'If-Match'},
    answer: 'none',
  },
  createBudget: {
    method: 'POST',
    path: '/admin/v1/budgets',
    query: [],
    headers: {idempotencyKey: 'Idempotency-Key'},
    answer: 'json',
  },
  listBudgets: {
    method: 'GET',
    path: '/admin/v1/budgets',
    query: ['org', 'project', 'after', 'limit'],
    headers: {},
    answer: 'json',
  },
  getBudget: {
    method: 'GET',
    path: '/admin/v1/budgets/{id}',
    query: [],
    headers: {ifNoneMatch: 'If-None-Match', ifMatch: 'If-Match'},
    answer: 'json',
  },
  changeBudget: {
    method: 'PATCH',
    path: '/admin/v1/budgets/{id}',
    query: [],
    headers: {ifMatch: 'If-Match'},
    answer: 'json',
  },
  createTopUp: {
    method: 'POST',
    path: '/admin/v1/budgets/{id}/top-ups',
    query: [],
    headers: {idempotencyKey: 'Idempotency-Key'},
    answer: 'json',
  },
  listTopUps: {
    method: 'GET',
    path: '/admin/v1/budgets/{id}/top-ups',
    query: ['after', 'limit'],
    headers: {},
    answer: 'json',
  },
  listLedger: {
    method: 'GET',
    path: '/admin/v1/ledger',
    query: ['request', 'org', 'from', 'to', 'after', 'limit'],
    headers: {},
    answer: 'json',
  },
  explainRequest: {
    method: 'GET',
    path: '/admin/v1/requests/{id}',
    query: ['org'],
    headers: {},
    answer: 'json',
  },
  listDeadLetters: {
    method: 'GET',
    path: '/admin/v1/dead-letters',
    query: ['org', 'subscription', 'type', 'since', 'state', 'after', 'limit'],
    headers: {},
    answer: 'json',
  },
  redriveDeadLetters: {
    method: 'POST',
    path: '/admin/v1/dead-letters/redrive',
    query: [],
    headers: {},
    answer: 'json',
  },
  dropDeadLetters: {
    method: 'POST',
    path: '/admin/v1/dead-letters/drop',
    query: [],
    headers: {},
    answer: 'json',
  },
  getDeadLetter: {
    method: 'GET',
    path: '/admin/v1/dead-letters/{id}',
    query: [],
    headers: {ifNoneMatch: 'If-None-Match', ifMatch: 'If-Match'},
    answer: 'json',
  },
  redriveDeadLetter: {
    method: 'POST',
    path: '/admin/v1/dead-letters/{id}/redrive',
    query: [],
    headers: {},
    answer: 'json',
  },
  dropDeadLetter: {
    method: 'POST',
    path: '/admin/v1/dead-letters/{id}/drop',
    query: [],
    headers: {},
    answer: 'json',
  },
  getUsage: {
    method: 'GET',
    path: '/admin/v1/usage',
    query: [
      'org',
      'project',
      'key',
      'model',
      'environment',
      'from',
      'to',
      'groupBy',
      'granularity',
    ],
    headers: {},
    answer: 'json',
  },
  exportUsage: {
    method: 'GET',
    path: '/admin/v1/usage/export',
    query: ['org', 'project', 'key', 'model', 'environment', 'from', 'to', 'granularity', 'format'],
    headers: {},
    answer: 'text',
  },
  getUsageRecord: {
    method: 'GET',
    path: '/admin/v1/usage/records',
    query: ['org', 'request'],
    headers: {},
    answer: 'json',
  },
  verifyUsage: {
    method: 'POST',
    path: '/admin/v1/usage/verify',
    query: [],
    headers: {},
    answer: 'json',
  },
  registerModel: {method: 'POST', path: '/admin/v1/models', query: [], headers: {}, answer: 'json'},
  listModels: {
    method: 'GET',
    path: '/admin/v1/models',
    query: ['environment', 'status', 'after', 'limit'],
    headers: {},
    answer: 'json',
  },
  getModel: {
    method: 'GET',
    path: '/admin/v1/models/{id}',
    query: [],
    headers: {ifNoneMatch: 'If-None-Match', ifMatch: 'If-Match'},
    answer: 'json',
  },
  changeModel: {
    method: 'PATCH',
    path: '/admin/v1/models/{id}',
    query: [],
    headers: {ifMatch: 'If-Match'},
    answer: 'json',
  },
  removeModel: {
    method: 'DELETE',
    path: '/admin/v1/models/{id}',
    query: [],
    headers: {ifMatch: 'If-Match'},
    answer: 'none',
  },
  enableModel: {
    method: 'POST',
    path: '/admin/v1/models/{id}/enable',
    query: [],
    headers: {},
    answer: 'json',
  },
  disableModel: {
    method: 'POST',
    path: '/admin/v1/models/{id}/disable',
    query: [],
    headers: {},
    answer: 'json',
  },
  probeModel: {
    method: 'POST',
    path: '/admin/v1/models/{id}/probe',
    query: [],
    headers: {},
    answer: 'json',
  },
  listAudit: {
    method: 'GET',
    path: '/admin/v1/audit',
    query: ['org', 'actor', 'operation', 'subjectKind', 'subject', 'from', 'to', 'after', 'limit'],
    headers: {},
    answer: 'json',
  },
  getAudit: {
    method: 'GET',
    path: '/admin/v1/audit/{id}',
    query: [],
    headers: {ifNoneMatch: 'If-None-Match', ifMatch: 'If-Match'},
    answer: 'json',
  },
  getOpenApi: {
    method: 'GET',
    path: '/admin/v1/openapi.json',
    query: [],
    headers: {},
    answer: 'json',
  },
};
