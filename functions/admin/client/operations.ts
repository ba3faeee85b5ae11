/** Rendered from schemas/http/admin.yaml by `npm run render`; do not edit. */
import type {CallOptions, Route} from './route.ts';
import type {
  Budget,
  BudgetChange,
  CreateKeyAnswer,
  CreateServiceKeyAnswer,
  DeadLetter,
  DeadLetterState,
  DeadLetterText,
  Email,
  EnvironmentOrAlias,
  GetUsageAnswer,
  GroupRole,
  Id,
  InstantOrDate,
  Key,
  KeyChange,
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
  Org,
  Project,
  ProjectChange,
  RatesChange,
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
  body: NewOrg;
}>;
export type ListOrgsInput = Readonly<{
  /** Only the one with exactly this name */
  name?: Name;
  /** The page after this one: `next` of the answer before */
  after?: Id;
  limit?: number;
}>;
export type GetMeInput = Readonly<{}>;
export type GetOrgInput = Readonly<{
  org: Id;
}>;
export type ChangeOrgInput = Readonly<{
  org: Id;
  body: RatesChange;
}>;
export type CreateProjectInput = Readonly<{
  org: Id;
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
}>;
export type ChangeProjectInput = Readonly<{
  id: Id;
  body: ProjectChange;
}>;
export type CreateKeyInput = Readonly<{
  project: Id;
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
}>;
export type ChangeKeyInput = Readonly<{
  id: Id;
  body: KeyChange;
}>;
export type RevokeKeyInput = Readonly<{
  id: Id;
}>;
export type CreateUserInput = Readonly<{
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
}>;
export type ChangeUserInput = Readonly<{
  id: Id;
  body: UserChange;
}>;
export type DeleteUserInput = Readonly<{
  id: Id;
}>;
export type CreateLoginLinkInput = Readonly<{
  id: Id;
}>;
export type CreateMemberInput = Readonly<{
  org: Id;
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
}>;
export type ChangeMemberInput = Readonly<{
  id: Id;
  body: RoleChange;
}>;
export type RemoveMemberInput = Readonly<{
  id: Id;
}>;
export type CreateGroupRoleInput = Readonly<{
  org: Id;
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
}>;
export type ChangeGroupRoleInput = Readonly<{
  id: Id;
  body: RoleChange;
}>;
export type RemoveGroupRoleInput = Readonly<{
  id: Id;
}>;
export type CreateServiceKeyInput = Readonly<{
  org: Id;
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
}>;
export type RevokeServiceKeyInput = Readonly<{
  id: Id;
}>;
export type CreateBudgetInput = Readonly<{
  body: NewBudget;
}>;
export type ListBudgetsInput = Readonly<{
  org: Id;
  /** The page after this one: `next` of the answer before */
  after?: Id;
  limit?: number;
}>;
export type GetBudgetInput = Readonly<{
  id: Id;
}>;
export type ChangeBudgetInput = Readonly<{
  id: Id;
  body: BudgetChange;
}>;
export type CreateTopUpInput = Readonly<{
  id: Id;
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
  after?: Id;
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
}>;
export type GetModelInput = Readonly<{
  id: Id;
}>;
export type ChangeModelInput = Readonly<{
  id: Id;
  body: ModelChange;
}>;
export type RemoveModelInput = Readonly<{
  id: Id;
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

export type Operations = Readonly<{
  /** Creates an organisation. Errors: 400, 401, 409, 413. */
  createOrg(input: CreateOrgInput, options?: CallOptions): Promise<Org>;
  /** Lists organisations, in the order of their creation. Errors: 400, 401. */
  listOrgs(input?: ListOrgsInput, options?: CallOptions): Promise<ListOrgsAnswer>;
  /** Shows who asks, and what they may. Errors: 400, 401. */
  getMe(input?: GetMeInput, options?: CallOptions): Promise<Me>;
  /** Shows an organisation. Errors: 400, 401, 404. */
  getOrg(input: GetOrgInput, options?: CallOptions): Promise<Org>;
  /** Changes an organisation's limits. Errors: 400, 401, 404, 413. */
  changeOrg(input: ChangeOrgInput, options?: CallOptions): Promise<Org>;
  /** Creates a project. Errors: 400, 401, 404, 409, 413. */
  createProject(input: CreateProjectInput, options?: CallOptions): Promise<Project>;
  /** Lists the projects of an organisation. Errors: 400, 401, 404. */
  listProjects(input: ListProjectsInput, options?: CallOptions): Promise<ListProjectsAnswer>;
  /** Shows a project. Errors: 400, 401, 404. */
  getProject(input: GetProjectInput, options?: CallOptions): Promise<Project>;
  /** Changes a project's limits, what an unsettled request costs, whether results are kept. Errors: 400, 401, 404, 413. */
  changeProject(input: ChangeProjectInput, options?: CallOptions): Promise<Project>;
  /** Creates an API key and shows it, this once. Errors: 400, 401, 404, 413. */
  createKey(input: CreateKeyInput, options?: CallOptions): Promise<CreateKeyAnswer>;
  /** Lists the keys of a project, revoked ones too. Errors: 400, 401, 404. */
  listKeys(input: ListKeysInput, options?: CallOptions): Promise<ListKeysAnswer>;
  /** Shows a key, without its secret. Errors: 400, 401, 404. */
  getKey(input: GetKeyInput, options?: CallOptions): Promise<Key>;
  /** Changes a key's limits. Errors: 400, 401, 404, 413. */
  changeKey(input: ChangeKeyInput, options?: CallOptions): Promise<Key>;
  /** Revokes a key; a gateway that can read the database refuses it within a second. Errors: 400, 401, 404. */
  revokeKey(input: RevokeKeyInput, options?: CallOptions): Promise<void>;
  /** Creates a user. Errors: 400, 401, 403, 409, 413. */
  createUser(input: CreateUserInput, options?: CallOptions): Promise<User>;
  /** Lists users. Errors: 400, 401, 403. */
  listUsers(input?: ListUsersInput, options?: CallOptions): Promise<ListUsersAnswer>;
  /** Shows a user. Errors: 400, 401, 403, 404. */
  getUser(input: GetUserInput, options?: CallOptions): Promise<User>;
  /** Renames a user, makes them an operator or no more, disables or enables them. Errors: 400, 401, 403, 404, 413. */
  changeUser(input: ChangeUserInput, options?: CallOptions): Promise<User>;
  /** Deletes a user with all memberships and sessions; the audit keeps what they did. Errors: 400, 401, 403, 404. */
  deleteUser(input: DeleteUserInput, options?: CallOptions): Promise<void>;
  /** Makes a link by which a user logs in once without a provider, and shows it, this once. Errors: 400, 401, 403, 404, 409, 413. */
  createLoginLink(input: CreateLoginLinkInput, options?: CallOptions): Promise<LoginLink>;
  /** Gives a person, by their email, a role in an organisation or in one project of it. Errors: 400, 401, 403, 404, 409, 413. */
  createMember(input: CreateMemberInput, options?: CallOptions): Promise<Member>;
  /** Lists who has a role in an organisation or in one project of it. Errors: 400, 401, 403, 404. */
  listMembers(input: ListMembersInput, options?: CallOptions): Promise<ListMembersAnswer>;
  /** Shows a member. Errors: 400, 401, 403, 404. */
  getMember(input: GetMemberInput, options?: CallOptions): Promise<Member>;
  /** Gives a member another role. Errors: 400, 401, 403, 404, 409, 413. */
  changeMember(input: ChangeMemberInput, options?: CallOptions): Promise<Member>;
  /** Takes a role away from a member. Errors: 400, 401, 403, 404, 409. */
  removeMember(input: RemoveMemberInput, options?: CallOptions): Promise<void>;
  /** Gives whoever is in a group of the OpenID provider a role in an organisation or in one project of it. Errors: 400, 401, 403, 404, 409, 413. */
  createGroupRole(input: CreateGroupRoleInput, options?: CallOptions): Promise<GroupRole>;
  /** Lists what the groups of the OpenID provider are worth in an organisation. Errors: 400, 401, 403, 404. */
  listGroupRoles(input: ListGroupRolesInput, options?: CallOptions): Promise<ListGroupRolesAnswer>;
  /** Shows what a group is worth. Errors: 400, 401, 403, 404. */
  getGroupRole(input: GetGroupRoleInput, options?: CallOptions): Promise<GroupRole>;
  /** Gives a group another role. Errors: 400, 401, 403, 404, 413. */
  changeGroupRole(input: ChangeGroupRoleInput, options?: CallOptions): Promise<GroupRole>;
  /** Takes a role away from a group. Errors: 400, 401, 403, 404. */
  removeGroupRole(input: RemoveGroupRoleInput, options?: CallOptions): Promise<void>;
  /** Creates a machine's key for this API and shows it, this once. Errors: 400, 401, 403, 404, 413. */
  createServiceKey(
    input: CreateServiceKeyInput,
    options?: CallOptions,
  ): Promise<CreateServiceKeyAnswer>;
  /** Lists the service keys of an organisation, revoked ones too. Errors: 400, 401, 403, 404. */
  listServiceKeys(
    input: ListServiceKeysInput,
    options?: CallOptions,
  ): Promise<ListServiceKeysAnswer>;
  /** Shows a service key, without its secret. Errors: 400, 401, 403, 404. */
  getServiceKey(input: GetServiceKeyInput, options?: CallOptions): Promise<ServiceKey>;
  /** Revokes a service key; it is refused from then on. Errors: 400, 401, 403, 404. */
  revokeServiceKey(input: RevokeServiceKeyInput, options?: CallOptions): Promise<void>;
  /** Limits what an organisation, a project or a key may spend in a period. Errors: 400, 401, 404, 413. */
  createBudget(input: CreateBudgetInput, options?: CallOptions): Promise<Budget>;
  /** Lists the budgets of an organisation, of its projects and keys. Errors: 400, 401, 404. */
  listBudgets(input: ListBudgetsInput, options?: CallOptions): Promise<ListBudgetsAnswer>;
  /** Shows a budget and how much of it is spent. Errors: 400, 401, 404. */
  getBudget(input: GetBudgetInput, options?: CallOptions): Promise<Budget>;
  /** Sets the limit or the thresholds of a budget, pauses or resumes it. Errors: 400, 401, 404, 413. */
  changeBudget(input: ChangeBudgetInput, options?: CallOptions): Promise<Budget>;
  /** Adds to the limit of the current window, which is opened where no request has; the next window has the limit alone. Errors: 400, 401, 404, 409, 413. */
  createTopUp(input: CreateTopUpInput, options?: CallOptions): Promise<TopUp>;
  /** Lists what was added to a budget, of all its windows, oldest first. Errors: 400, 401, 404. */
  listTopUps(input: ListTopUpsInput, options?: CallOptions): Promise<ListTopUpsAnswer>;
  /** Shows what was charged, for one request or for an organisation, newest first. Errors: 400, 401, 404. */
  listLedger(input?: ListLedgerInput, options?: CallOptions): Promise<ListLedgerAnswer>;
  /** Explains a request by the id that its answer carried as x-request-id, refused ones of the last day too. Errors: 400, 401, 404. */
  explainRequest(input: ExplainRequestInput, options?: CallOptions): Promise<RequestExplanation>;
  /** Lists events that could not be handled or delivered, newest first, without what was in them. Errors: 400, 401. */
  listDeadLetters(
    input?: ListDeadLettersInput,
    options?: CallOptions,
  ): Promise<ListDeadLettersAnswer>;
  /** Publishes many events again, oldest first; a letter is redriven once, however many ask. Errors: 400, 401. */
  redriveDeadLetters(
    input: RedriveDeadLettersInput,
    options?: CallOptions,
  ): Promise<ManyDeadLettersDone>;
  /** Gives many events up; that they were stays, what was in them goes. Errors: 400, 401. */
  dropDeadLetters(input: DropDeadLettersInput, options?: CallOptions): Promise<ManyDeadLettersDone>;
  /** Shows a dead letter with its event and what the receiver said. Errors: 400, 401, 404. */
  getDeadLetter(input: GetDeadLetterInput, options?: CallOptions): Promise<DeadLetter>;
  /** Publishes the event again where it came from, with the letter's id in its attribute `redriven`. Errors: 400, 401, 404, 409. */
  redriveDeadLetter(input: RedriveDeadLetterInput, options?: CallOptions): Promise<DeadLetter>;
  /** Gives an event up; that it was stays, what was in it goes. Errors: 400, 401, 404, 409. */
  dropDeadLetter(input: DropDeadLetterInput, options?: CallOptions): Promise<DeadLetter>;
  /** Sums requests, tokens and cost. Errors: 400, 401. */
  getUsage(input?: GetUsageInput, options?: CallOptions): Promise<GetUsageAnswer>;
  /** Exports all records, hours or days of an organisation, as a stream. Errors: 400, 401. */
  exportUsage(input: ExportUsageInput, options?: CallOptions): AsyncIterable<string>;
  /** Shows the usage record of one request. Errors: 400, 401, 404. */
  getUsageRecord(input: GetUsageRecordInput, options?: CallOptions): Promise<UsageRecord>;
  /** Compares ledger, usage records, windows and the model servers' own counters. Errors: 400, 401, 409, 413, 503. */
  verifyUsage(input?: VerifyUsageInput, options?: CallOptions): Promise<VerifyReport>;
  /** Registers a model, or replaces what was registered under the same name and environment. Errors: 400, 401, 409, 413. */
  registerModel(input: RegisterModelInput, options?: CallOptions): Promise<Model>;
  /** Lists models. Errors: 400, 401. */
  listModels(input?: ListModelsInput, options?: CallOptions): Promise<ListModelsAnswer>;
  /** Shows a model. Errors: 401, 404. */
  getModel(input: GetModelInput, options?: CallOptions): Promise<Model>;
  /** Changes a model's limits, which count everybody's requests, and how requests are routed to it. Errors: 400, 401, 404, 413. */
  changeModel(input: ChangeModelInput, options?: CallOptions): Promise<Model>;
  /** Removes a model; what was charged for it stays in the ledger. Errors: 401, 404. */
  removeModel(input: RemoveModelInput, options?: CallOptions): Promise<void>;
  /** Lets gateways route to a model. Errors: 401, 404, 409. */
  enableModel(input: EnableModelInput, options?: CallOptions): Promise<Model>;
  /** Takes a model away from gateways until it is enabled. Errors: 401, 404. */
  disableModel(input: DisableModelInput, options?: CallOptions): Promise<Model>;
  /** Asks every endpoint of a model now how it is. Errors: 401, 404. */
  probeModel(input: ProbeModelInput, options?: CallOptions): Promise<Model>;
}>;

/** Of the document. */
export const apiVersion = '1.0.0';

/** Lists, each to its end. */
export type Lists = Readonly<{
  /** Lists organisations, in the order of their creation. Errors: 400, 401. */
  listOrgs(input?: ListOrgsInput, options?: CallOptions): AsyncIterable<Org>;
  /** Lists the projects of an organisation. Errors: 400, 401, 404. */
  listProjects(input: ListProjectsInput, options?: CallOptions): AsyncIterable<Project>;
  /** Lists the keys of a project, revoked ones too. Errors: 400, 401, 404. */
  listKeys(input: ListKeysInput, options?: CallOptions): AsyncIterable<Key>;
  /** Lists users. Errors: 400, 401, 403. */
  listUsers(input?: ListUsersInput, options?: CallOptions): AsyncIterable<User>;
  /** Lists who has a role in an organisation or in one project of it. Errors: 400, 401, 403, 404. */
  listMembers(input: ListMembersInput, options?: CallOptions): AsyncIterable<Member>;
  /** Lists what the groups of the OpenID provider are worth in an organisation. Errors: 400, 401, 403, 404. */
  listGroupRoles(input: ListGroupRolesInput, options?: CallOptions): AsyncIterable<GroupRole>;
  /** Lists the service keys of an organisation, revoked ones too. Errors: 400, 401, 403, 404. */
  listServiceKeys(input: ListServiceKeysInput, options?: CallOptions): AsyncIterable<ServiceKey>;
  /** Lists the budgets of an organisation, of its projects and keys. Errors: 400, 401, 404. */
  listBudgets(input: ListBudgetsInput, options?: CallOptions): AsyncIterable<Budget>;
  /** Lists what was added to a budget, of all its windows, oldest first. Errors: 400, 401, 404. */
  listTopUps(input: ListTopUpsInput, options?: CallOptions): AsyncIterable<TopUp>;
  /** Lists events that could not be handled or delivered, newest first, without what was in them. Errors: 400, 401. */
  listDeadLetters(input?: ListDeadLettersInput, options?: CallOptions): AsyncIterable<DeadLetter>;
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
  'listDeadLetters',
] as const satisfies readonly (keyof Lists)[];

export const routes: Readonly<Record<keyof Operations, Route>> = {
  createOrg: {method: 'POST', path: '/admin/v1/orgs', query: [], headers: {}, answer: 'json'},
  listOrgs: {
    method: 'GET',
    path: '/admin/v1/orgs',
    query: ['name', 'after', 'limit'],
    headers: {},
    answer: 'json',
  },
  getMe: {method: 'GET', path: '/admin/v1/me', query: [], headers: {}, answer: 'json'},
  getOrg: {method: 'GET', path: '/admin/v1/orgs/{org}', query: [], headers: {}, answer: 'json'},
  changeOrg: {
    method: 'PATCH',
    path: '/admin/v1/orgs/{org}',
    query: [],
    headers: {},
    answer: 'json',
  },
  createProject: {
    method: 'POST',
    path: '/admin/v1/orgs/{org}/projects',
    query: [],
    headers: {},
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
    headers: {},
    answer: 'json',
  },
  changeProject: {
    method: 'PATCH',
    path: '/admin/v1/projects/{id}',
    query: [],
    headers: {},
    answer: 'json',
  },
  createKey: {
    method: 'POST',
    path: '/admin/v1/projects/{project}/keys',
    query: [],
    headers: {},
    answer: 'json',
  },
  listKeys: {
    method: 'GET',
    path: '/admin/v1/projects/{project}/keys',
    query: ['after', 'limit'],
    headers: {},
    answer: 'json',
  },
  getKey: {method: 'GET', path: '/admin/v1/keys/{id}', query: [], headers: {}, answer: 'json'},
  changeKey: {method: 'PATCH', path: '/admin/v1/keys/{id}', query: [], headers: {}, answer: 'json'},
  revokeKey: {
    method: 'DELETE',
    path: '/admin/v1/keys/{id}',
    query: [],
    headers: {},
    answer: 'none',
  },
  createUser: {method: 'POST', path: '/admin/v1/users', query: [], headers: {}, answer: 'json'},
  listUsers: {
    method: 'GET',
    path: '/admin/v1/users',
    query: ['email', 'after', 'limit'],
    headers: {},
    answer: 'json',
  },
  getUser: {method: 'GET', path: '/admin/v1/users/{id}', query: [], headers: {}, answer: 'json'},
  changeUser: {
    method: 'PATCH',
    path: '/admin/v1/users/{id}',
    query: [],
    headers: {},
    answer: 'json',
  },
  deleteUser: {
    method: 'DELETE',
    path: '/admin/v1/users/{id}',
    query: [],
    headers: {},
    answer: 'none',
  },
  createLoginLink: {
    method: 'POST',
    path: '/admin/v1/users/{id}/login-links',
    query: [],
    headers: {},
    answer: 'json',
  },
  createMember: {
    method: 'POST',
    path: '/admin/v1/orgs/{org}/members',
    query: [],
    headers: {},
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
    headers: {},
    answer: 'json',
  },
  changeMember: {
    method: 'PATCH',
    path: '/admin/v1/members/{id}',
    query: [],
    headers: {},
    answer: 'json',
  },
  removeMember: {
    method: 'DELETE',
    path: '/admin/v1/members/{id}',
    query: [],
    headers: {},
    answer: 'none',
  },
  createGroupRole: {
    method: 'POST',
    path: '/admin/v1/orgs/{org}/group-roles',
    query: [],
    headers: {},
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
    headers: {},
    answer: 'json',
  },
  changeGroupRole: {
    method: 'PATCH',
    path: '/admin/v1/group-roles/{id}',
    query: [],
    headers: {},
    answer: 'json',
  },
  removeGroupRole: {
    method: 'DELETE',
    path: '/admin/v1/group-roles/{id}',
    query: [],
    headers: {},
    answer: 'none',
  },
  createServiceKey: {
    method: 'POST',
    path: '/admin/v1/orgs/{org}/service-keys',
    query: [],
    headers: {},
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
    headers: {},
    answer: 'json',
  },
  revokeServiceKey: {
    method: 'DELETE',
    path: '/admin/v1/service-keys/{id}',
    query: [],
    headers: {},
    answer: 'none',
  },
  createBudget: {method: 'POST', path: '/admin/v1/budgets', query: [], headers: {}, answer: 'json'},
  listBudgets: {
    method: 'GET',
    path: '/admin/v1/budgets',
    query: ['org', 'after', 'limit'],
    headers: {},
    answer: 'json',
  },
  getBudget: {
    method: 'GET',
    path: '/admin/v1/budgets/{id}',
    query: [],
    headers: {},
    answer: 'json',
  },
  changeBudget: {
    method: 'PATCH',
    path: '/admin/v1/budgets/{id}',
    query: [],
    headers: {},
    answer: 'json',
  },
  createTopUp: {
    method: 'POST',
    path: '/admin/v1/budgets/{id}/top-ups',
    query: [],
    headers: {},
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
    query: ['request', 'org', 'from', 'to', 'limit'],
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
    headers: {},
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
    query: ['environment', 'status'],
    headers: {},
    answer: 'json',
  },
  getModel: {method: 'GET', path: '/admin/v1/models/{id}', query: [], headers: {}, answer: 'json'},
  changeModel: {
    method: 'PATCH',
    path: '/admin/v1/models/{id}',
    query: [],
    headers: {},
    answer: 'json',
  },
  removeModel: {
    method: 'DELETE',
    path: '/admin/v1/models/{id}',
    query: [],
    headers: {},
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
};
