/** Rendered from schemas/http/admin.yaml by `npm run render`; do not edit. */
/**
 * A UUID in lower case
 */
export type Id = string;
/**
 * 1 to 200 characters, without space at its ends and control characters
 */
export type Name = string;
export type Instant = string;
/**
 * An RFC 3339 instant, or a date, which is its first instant, UTC
 */
export type InstantOrDate = string;
/**
 * USD
 */
export type Usd = string;
/**
 * By the unit: USD as decimal text, or a whole number of tokens or GPU milliseconds as digits
 */
export type Amount = string;
export type Environment = 'development' | 'staging' | 'production';
export type EnvironmentOrAlias = 'development' | 'staging' | 'production' | 'dev' | 'uat' | 'prod';
/**
 * A UUID in lower case
 */
export type Next = string;
/**
 * What to give as `after` for the next page; absent on the last. Only to be given back
 */
export type Cursor = string;
export type VerifyCheck = 'requests' | 'sums' | 'windows' | 'engines';
/**
 * How many requests may begin in a minute, a whole number from 1 to 2147483647; null, as absent at the creation, is without a limit
 */
export type RequestsPerMinute = number | null;
/**
 * How many tokens may be used in a minute, a whole number from 1 to 2147483647; null, as absent at the creation, is without a limit
 */
export type TokensPerMinute = number | null;
/**
 * How many requests may run at once, a whole number from 1 to 2147483647; null, as absent at the creation, is without a limit
 */
export type ParallelRequests = number | null;
/**
 * The most that a client may ask for as max_tokens, a whole number from 1 to 2147483647; of project, key and model the smallest counts; null, as absent at the creation, leaves it to the others and to the context
 */
export type MaxOutputTokens = number | null;
/**
 * That the model scales to zero, and how long its start may take, a whole number from 1 to 1800; requests wait so long; null, as absent, is a model that runs always
 */
export type StartSeconds = number | null;
/**
 * Names of other models of the environment, tried in this order when no endpoint of this one takes a request; at most 5; one that is not registered is passed by
 *
 * @maxItems 5
 */
export type Fallbacks = Name[];
/**
 * How many requests the endpoint takes at once, of all gateways together, a whole number from 1 to 100000; null, as absent, is without a bound
 */
export type MaxConcurrency = number | null;
/**
 * The only models that the key may use; all where absent
 *
 * @minItems 1
 * @maxItems 1000
 */
export type KeyModels = Name[];
/**
 * The only environments that the key may be used in; all where absent
 *
 * @minItems 1
 */
export type KeyEnvironments = Environment[];
/**
 * What the key may be used for: everything that is metered, the list of models, events from outside; all where absent
 *
 * @minItems 1
 */
export type KeyScopes = ('inference' | 'models' | 'events')[];
/**
 * What a request costs whose result never came: its prompt, all that was held for it, or nothing
 */
export type UnsettledPolicy = 'prompt' | 'hold' | 'waive';
/**
 * Whether answers to requests with an `Idempotency-Key` are kept for 24 hours, encrypted, to be replayed
 */
export type KeepResults = boolean;
/**
 * An email address of at most 254 ASCII characters; kept in lower case
 */
export type Email = string;
/**
 * viewer: reads; member: and makes keys; admin: and manages members, projects and budgets; owner: and admins
 */
export type Role = 'viewer' | 'member' | 'admin' | 'owner';
/**
 * In the answer to a request with an Idempotency-Key that was made before; the secret was in the first one
 */
export type SecretShown = false;
/**
 * 1 to 256 characters, without space at its ends and control characters, as the provider writes it
 */
export type GroupName = string;
/**
 * USD as decimal text, at most "9000000000.00"; or a whole number of tokens or GPU milliseconds, as digits or as a
 * number up to 2^53 - 1
 *
 */
export type Limit = string | number;
export type Unit = 'usd' | 'tokens' | 'gpu_ms';
/**
 * A calendar day, ISO week or month of `timeZone`; `none` counts for ever
 */
export type Period = 'day' | 'week' | 'month' | 'none';
/**
 * Per cent of the limit at which `budget.threshold.reached` is sent, once a window; none below the highest that was sent
 *
 *
 * @maxItems 10
 */
export type Thresholds = number[];
/**
 * A name of the IANA time zone database
 */
export type TimeZone = string;
/**
 * 1 to 200 letters, digits and any of . _ : -
 */
export type TopUpId = string;
/**
 * Negative in a correction
 */
export type Tokens = number;
export type DeadLetterState = 'waiting' | 'redriven' | 'dropped';
export type DeadLetterText = string;
/**
 * registered: no endpoint has answered yet; ready: routed to; disabled: by the operator
 */
export type ModelStatus = 'registered' | 'ready' | 'disabled';
/**
 * What a million tokens cost; that a model is free must be said
 */
export type Price =
  | 'free'
  | {
      inputPerMillion: Usd;
      outputPerMillion: Usd;
      /**
       * As inputPerMillion where absent or null
       */
      cachedInputPerMillion?: Usd | null;
      inputGpuMsPerMillion?: number | null;
      outputGpuMsPerMillion?: number | null;
    };

export type Me = {
  /**
   * The admin key, a person, a service key, or a token of a machine
   */
  kind: 'operator' | 'user' | 'service' | 'machine';
  /**
   * Of a user or a service key; of a machine its issuer and subject
   */
  id: string;
  name: string;
  /**
   * Runs the platform and may do everything
   */
  operator: boolean;
  grants: Grant[];
};
export type Grant = {
  org: Id;
  orgName: Name;
  /**
   * A UUID in lower case
   */
  project?: string;
  projectName?: Name;
  role: 'viewer' | 'member' | 'admin' | 'owner';
};
export type VerifyQuestion = {
  /**
   * Requests that began from then on; a day before `to` where absent, at most 400 days
   */
  from?: string;
  /**
   * And before then; now where absent
   */
  to?: string;
  graceSeconds?: number;
  /**
   * How many of each kind are shown in full
   */
  first?: number;
  /**
   * All where absent
   *
   * @minItems 1
   */
  checks?: VerifyCheck[];
};
export type VerifyReport = {
  broken: boolean;
  at: Instant;
  from: Instant;
  to: Instant;
  graceSeconds: number;
  /**
   * How much was compared, what was late, and what is not settled yet
   */
  compared: {
    [k: string]: number;
  };
  /**
   * How often each kind of finding was made, broken promises first
   */
  kinds: {
    check: VerifyCheck;
    kind: string;
    broken: boolean;
    count: number;
  }[];
  /**
   * Ledger less usage records by organisation, model and hour, where they differ
   */
  differences: {
    org: Id;
    model: string;
    from: Instant;
    requests: number;
    inputTokens: number;
    cachedInputTokens: number;
    outputTokens: number;
    /**
     * USD
     */
    cost: string;
  }[];
  /**
   * The first of each kind
   */
  findings: {
    check: VerifyCheck;
    kind: string;
    broken: boolean;
    /**
     * A request, a window, an endpoint
     */
    subject: string;
    org?: string;
    model?: string;
    from?: string;
    /**
     * What was compared, side by side
     */
    values: {
      [k: string]: string;
    };
  }[];
};
/**
 * One field at least; what is absent stays as it is
 */
export type OrgChange = {
  name?: Name;
  requestsPerMinute?: RequestsPerMinute;
  tokensPerMinute?: TokensPerMinute;
  parallelRequests?: ParallelRequests;
};
export type OrgSuspension = {
  /**
   * Whether its running requests end too; false where absent
   */
  now?: boolean;
  /**
   * Shown with the organisation
   */
  reason?: string;
};
/**
 * `{}`
 */
export type Nothing = Record<string, never>;
/**
 * One field at least; what is absent stays as it is, null takes a restriction away
 */
export type KeyChange = {
  name?: Name;
  models?: KeyModels | null;
  environments?: KeyEnvironments | null;
  scopes?: KeyScopes | null;
  /**
   * An instant to come
   */
  expiresAt?: string | null;
  requestsPerMinute?: RequestsPerMinute;
  tokensPerMinute?: TokensPerMinute;
  parallelRequests?: ParallelRequests;
  maxOutputTokens?: MaxOutputTokens;
};
export type KeyRotation = {
  /**
   * How long the secret before it stays good; a day where absent
   */
  overlapSeconds?: number;
};
/**
 * One field at least; what is absent stays as it is
 */
export type ModelChange = {
  requestsPerMinute?: RequestsPerMinute;
  tokensPerMinute?: TokensPerMinute;
  parallelRequests?: ParallelRequests;
  startSeconds?: StartSeconds;
  fallbacks?: Fallbacks | null;
  maxOutputTokens?: MaxOutputTokens;
  /**
   * Those that are named are bounded anew, the others stay as they are
   *
   * @minItems 1
   * @maxItems 64
   */
  endpoints?: {
    /**
     * Of an endpoint that the model has
     */
    url: string;
    maxConcurrency: MaxConcurrency;
  }[];
};
export type NewOrg = {
  name: Name;
  requestsPerMinute?: RequestsPerMinute;
  tokensPerMinute?: TokensPerMinute;
  parallelRequests?: ParallelRequests;
};
export type Org = {
  id: Id;
  name: Name;
  suspendedAt?: Instant;
  suspendedReason?: string;
  deletedAt?: Instant;
  purgeAfter?: Instant;
  purgedAt?: Instant;
  requestsPerMinute?: RequestsPerMinute;
  tokensPerMinute?: TokensPerMinute;
  parallelRequests?: ParallelRequests;
  createdAt: Instant;
};
export type NewProject = {
  name: Name;
  unsettledPolicy?: UnsettledPolicy;
  keepResults?: KeepResults;
  requestsPerMinute?: RequestsPerMinute;
  tokensPerMinute?: TokensPerMinute;
  parallelRequests?: ParallelRequests;
  maxOutputTokens?: MaxOutputTokens;
};
/**
 * One field at least; what is absent stays as it is
 */
export type ProjectChange = {
  name?: Name;
  unsettledPolicy?: 'prompt' | 'hold' | 'waive';
  keepResults?: boolean;
  requestsPerMinute?: RequestsPerMinute;
  tokensPerMinute?: TokensPerMinute;
  parallelRequests?: ParallelRequests;
  maxOutputTokens?: MaxOutputTokens;
};
export type Project = {
  id: Id;
  org: Id;
  name: Name;
  unsettledPolicy: UnsettledPolicy;
  keepResults: KeepResults;
  requestsPerMinute?: RequestsPerMinute;
  tokensPerMinute?: TokensPerMinute;
  parallelRequests?: ParallelRequests;
  maxOutputTokens?: MaxOutputTokens;
  deletedAt?: Instant;
  createdAt: Instant;
};
export type RoleChange = {
  role: Role;
};
export type NewUser = {
  email: Email;
  name: Name;
  /**
   * Whether they run the platform
   */
  operator?: boolean;
};
/**
 * One field at least; what is absent stays as it is
 */
export type UserChange = {
  name?: Name;
  /**
   * Whether they run the platform
   */
  operator?: boolean;
  /**
   * Whether they can log in no more
   */
  disabled?: boolean;
};
export type User = {
  id: Id;
  email: Email;
  name: Name;
  operator: boolean;
  /**
   * Has not logged in yet
   */
  invited: boolean;
  /**
   * Of the OpenID provider of their first login
   */
  issuer?: string;
  /**
   * Who they are to it
   */
  subject?: string;
  disabledAt?: Instant;
  lastLoginAt?: Instant;
  createdAt: Instant;
};
export type LoginLink = {
  secretShown?: SecretShown;
  user: Id;
  /**
   * Only in this answer
   */
  token?: string;
  /**
   * Where a browser goes with it, on the host of the auth function; what follows # reaches no log
   */
  path?: string;
  expiresAt: Instant;
};
export type NewMember = {
  email: Email;
  role: Role;
  /**
   * 1 to 200 characters, without space at its ends and control characters
   */
  name?: string;
  /**
   * A UUID in lower case
   */
  project?: string;
};
export type Member = {
  id: Id;
  org: Id;
  /**
   * A UUID in lower case
   */
  project?: string;
  user: Id;
  email: Email;
  name: Name;
  role: Role;
  /**
   * Has not logged in yet
   */
  invited: boolean;
  disabledAt?: Instant;
  lastLoginAt?: Instant;
  createdAt: Instant;
};
export type NewGroupRole = {
  group: GroupName;
  role: Role;
  /**
   * A UUID in lower case
   */
  project?: string;
};
export type GroupRole = {
  id: Id;
  org: Id;
  /**
   * A UUID in lower case
   */
  project?: string;
  group: GroupName;
  role: Role;
  createdAt: Instant;
};
export type NewServiceKey = {
  name: Name;
  role: Role;
  /**
   * A UUID in lower case
   */
  project?: string;
  /**
   * From then on the key is refused; never where absent
   */
  expiresAt?: string;
};
export type ServiceKey = {
  id: Id;
  secretShown?: SecretShown;
  /**
   * Only in the answer to its creation
   */
  key?: string;
  /**
   * The middle of the key; no secret
   */
  publicId: string;
  org: Id;
  /**
   * A UUID in lower case
   */
  project?: string;
  name: Name;
  role: Role;
  expiresAt?: Instant;
  revokedAt?: Instant;
  /**
   * To the minute
   */
  lastUsedAt?: string;
  createdAt: Instant;
};
export type NewKey = {
  name: Name;
  models?: KeyModels;
  environments?: KeyEnvironments;
  scopes?: KeyScopes;
  /**
   * From then on the key is refused; never where absent
   */
  expiresAt?: string;
  requestsPerMinute?: RequestsPerMinute;
  tokensPerMinute?: TokensPerMinute;
  parallelRequests?: ParallelRequests;
  maxOutputTokens?: MaxOutputTokens;
};
export type Key = {
  id: Id;
  secretShown?: SecretShown;
  /**
   * Only in the answer to its creation or rotation
   */
  key?: string;
  /**
   * The middle of the key; no secret
   */
  publicId: string;
  org: Id;
  project: Id;
  name: Name;
  models?: KeyModels;
  environments?: KeyEnvironments;
  scopes?: KeyScopes;
  expiresAt?: Instant;
  revokedAt?: Instant;
  rotatedAt?: Instant;
  /**
   * Until then the secret before the last rotation is good; absent when it is not
   */
  previousExpiresAt?: string;
  /**
   * Of a request of it that has ended; to the minute
   */
  lastUsedAt?: string;
  requestsPerMinute?: RequestsPerMinute;
  tokensPerMinute?: TokensPerMinute;
  parallelRequests?: ParallelRequests;
  maxOutputTokens?: MaxOutputTokens;
  createdAt: Instant;
};
/**
 * Exactly one of `org`, `project` and `key` says what it limits
 */
export type NewBudget = {
  org?: Id;
  project?: Id;
  key?: Id;
  unit: Unit;
  limit: Limit;
  period: Period;
  timeZone?: TimeZone;
  thresholds?: Thresholds;
};
export type BudgetChange = {
  limit?: Limit;
  /**
   * A paused budget grants nothing
   */
  paused?: boolean;
  thresholds?: Thresholds;
};
export type NewTopUp = {
  amount: Limit;
  id?: TopUpId;
  by?: Name;
};
export type TopUp = {
  id: TopUpId;
  budget: Id;
  window: Id;
  amount: Amount;
  /**
   * 1 to 200 characters, without space at its ends and control characters
   */
  by?: string;
  createdAt: Instant;
};
export type Budget = {
  id: Id;
  org: Id;
  project?: Id;
  key?: Id;
  unit: Unit;
  period: Period;
  timeZone: TimeZone;
  thresholds: Thresholds;
  paused: boolean;
  /**
   * By the unit: USD as decimal text, or a whole number of tokens or GPU milliseconds as digits
   */
  limit: string;
  /**
   * By the unit: USD as decimal text, or a whole number of tokens or GPU milliseconds as digits
   */
  toppedUp: string;
  /**
   * By the unit: USD as decimal text, or a whole number of tokens or GPU milliseconds as digits
   */
  spent: string;
  /**
   * By the unit: USD as decimal text, or a whole number of tokens or GPU milliseconds as digits
   */
  overage: string;
  /**
   * By the unit: USD as decimal text, or a whole number of tokens or GPU milliseconds as digits
   */
  leased: string;
  /**
   * By the unit: USD as decimal text, or a whole number of tokens or GPU milliseconds as digits
   */
  remaining: string;
  /**
   * By the unit: USD as decimal text, or a whole number of tokens or GPU milliseconds as digits
   */
  available: string;
  /**
   * Null until the first request of the period
   */
  window: null | {
    id: Id;
    /**
     * Null for a period of none
     */
    start: string | null;
    /**
     * The first instant after it
     */
    end: string | null;
  };
  createdAt: Instant;
};
export type LedgerEntry = {
  request: Id;
  /**
   * result: by what the model server reported; unsettled: by policy, because no result came in time;
   * correction: the signed difference when it came after that; external: what another router reported
   */
  entry: 'result' | 'unsettled' | 'correction' | 'external';
  org: Id;
  project: Id;
  key: Id;
  model: string;
  environment: Environment;
  priceVersion: number;
  /**
   * The accounting instant: when the request began
   */
  at: string;
  settledAt: Instant;
  inputTokens: Tokens;
  cachedInputTokens: Tokens;
  outputTokens: Tokens;
  /**
   * By the unit: USD as decimal text, or a whole number of tokens or GPU milliseconds as digits
   */
  cost: string;
  /**
   * No model server reported the tokens
   */
  estimated: boolean;
  outcome: string;
  /**
   * What each budget was charged
   */
  charges: {
    budget: Id;
    window?: string | null;
    lease?: string | null;
    unit: Unit;
    hold?: Amount;
    amount: Amount;
    covered?: Amount;
    overage?: Amount;
  }[];
};
/**
 * What is not known or does not apply is absent
 */
export type RequestExplanation = {
  request: Id;
  /**
   * refused: never sent to a model server; running: its deadline is not over; overdue: it is, and nothing settled it yet;
   * settled: charged; unreadable: its events are dead letters
   */
  state: 'refused' | 'running' | 'overdue' | 'settled' | 'unreadable';
  /**
   * The same in one sentence
   */
  summary: string;
  org: Id;
  project?: Id;
  key?: Id;
  environment?: Environment;
  model?: string;
  /**
   * Where it went, the last time
   */
  endpoint?: string;
  /**
   * How many endpoints it was sent to, one after the other, where it was more than one
   */
  tries?: number;
  operation?: string;
  streamed?: boolean;
  /**
   * The client's own x-request-id
   */
  label?: string;
  /**
   * The trace id of W3C Trace Context
   */
  trace?: string;
  times: {
    arrivedAt?: Instant;
    /**
     * Let in; the accounting instant
     */
    startedAt?: string;
    firstTokenAt?: Instant;
    finishedAt?: Instant;
    /**
     * While it is not settled
     */
    deadline?: string;
    settledAt?: Instant;
    /**
     * From arrival to end
     */
    latencyMs?: number;
    /**
     * From arrival
     */
    timeToFirstTokenMs?: number;
  };
  /**
   * What its client was answered
   */
  status?: number;
  outcome?: string;
  promptBytes?: number;
  unsettledPolicy?: 'prompt' | 'hold' | 'waive';
  /**
   * The limits of its organisation, project, key and model as they are now; an answer has at most the smallest `maxOutputTokens`
   */
  limits: {
    org?: RatesNow;
    project?: RatesNow;
    key?: RatesNow;
    model?: RatesNow;
  };
  /**
   * What it holds while it is not settled; afterwards see `charges` of the ledger
   */
  holds?: {
    budget: Id;
    window: Id;
    lease: Id;
    unit: Unit;
    hold: Amount;
    /**
     * Whether its lease was in force when the intent was read
     */
    covered: boolean;
  }[];
  /**
   * Of all ledger entries together
   */
  cost?: {
    inputTokens: number;
    cachedInputTokens: number;
    outputTokens: number;
    /**
     * By the unit: USD as decimal text, or a whole number of tokens or GPU milliseconds as digits
     */
    charged: string;
    estimated: boolean;
    priceVersion?: number;
    /**
     * In USD a million tokens; absent where the model was removed
     */
    price?: {
      free: boolean;
      inputPerMillion: Amount;
      cachedInputPerMillion?: Amount;
      outputPerMillion: Amount;
    };
    arithmetic?: string;
    /**
     * Whether that is what was charged; an estimate is never more than the hold
     */
    agrees?: boolean;
  };
  ledger: LedgerEntry[];
  /**
   * Whether there is a usage record; see usage/records
   */
  usageRecorded: boolean;
  refusal?: {
    code: string;
    parameter?: string;
    /**
     * What the client was told
     */
    reason: string;
    retryAfterSeconds?: number;
    /**
     * Which process refused it
     */
    gateway: string;
  };
  deadLetters: {
    id: Id;
    state: DeadLetterState;
    eventId: string;
    subscription: string;
    reason: string;
    proved: boolean;
    deadAt: Instant;
  }[];
};
export type RatesNow = {
  requestsPerMinute?: number;
  tokensPerMinute?: number;
  parallelRequests?: number;
  maxOutputTokens?: number;
};
export type DeadLetter = {
  id: Id;
  state: DeadLetterState;
  org?: Id;
  /**
   * The Trigger or consumer whose delivery failed, or the function that refused
   */
  subscription: string;
  /**
   * Where it was going
   */
  destination: string;
  /**
   * Where a redrive publishes it; absent when nobody knows
   */
  origin?: string;
  /**
   * False for what came over HTTP, where anybody in the cluster can post
   */
  proved: boolean;
  type?: string;
  source?: string;
  eventId?: string;
  /**
   * Absent when the broker did not tell
   */
  attempts?: number;
  reason: string;
  /**
   * What the receiver answered last
   */
  status?: number;
  deadAt: Instant;
  redrivenAt?: Instant;
  droppedAt?: Instant;
  /**
   * The beginning of what the receiver said; not in lists
   */
  errorData?: string;
  /**
   * The event as JSON, without what the broker put on it when it failed; not in lists, gone once it is dropped
   */
  event?: {
    [k: string]: unknown;
  };
};
/**
 * Those that wait and that all of these fit. Without any of them `all` must be true.
 */
export type ManyDeadLetters = {
  org?: Id;
  subscription?: DeadLetterText;
  type?: DeadLetterText;
  since?: InstantOrDate;
  all?: boolean;
  /**
   * Only says how many
   */
  dryRun?: boolean;
  /**
   * The most that are done at once
   */
  limit?: number;
};
export type ManyDeadLettersDone = {
  dryRun: boolean;
  /**
   * How many were done, or would be
   */
  count: number;
  /**
   * How many wait that cannot be redriven
   */
  refused: number;
  /**
   * The first 100 of them
   */
  ids: Id[];
  /**
   * `limit` was reached: ask again
   */
  more: boolean;
};
/**
 * The names of `groupBy` are fields, too
 */
export type UsageRow = {
  /**
   * The hour or day; absent for a total
   */
  start?: string;
  org?: Id;
  project?: Id;
  key?: Id;
  model?: string;
  endpoint?: string;
  environment?: Environment;
  requests: number;
  failed: number;
  inputTokens: number;
  cachedInputTokens: number;
  outputTokens: number;
  /**
   * By the unit: USD as decimal text, or a whole number of tokens or GPU milliseconds as digits
   */
  cost: string;
  /**
   * Requests whose tokens no model server reported
   */
  estimated: number;
};
export type UsageRecord = {
  request: Id;
  org: Id;
  project: Id;
  key: Id;
  model: string;
  modelId: Id;
  environment: Environment;
  /**
   * Empty where none was reached
   */
  endpoint: string;
  operation: string;
  streamed: boolean;
  startedAt: Instant;
  finishedAt: Instant;
  outcome: string;
  status: number | null;
  inputTokens: number;
  cachedInputTokens: number;
  outputTokens: number;
  /**
   * By the unit: USD as decimal text, or a whole number of tokens or GPU milliseconds as digits
   */
  cost: string;
  estimated: boolean;
  latencyMs: number | null;
  timeToFirstTokenMs: number | null;
  /**
   * Endpoints that it was sent to, where it was more than one
   */
  tries: number | null;
  /**
   * The client's own x-request-id
   */
  label: string | null;
  traceparent: string | null;
};
export type NewModel = {
  name: Name;
  environment: EnvironmentOrAlias;
  /**
   * @minItems 1
   * @maxItems 64
   */
  endpoints: (
    | string
    | {
        url: string;
        /**
         * The name under which the server knows the model; `name` where absent or null
         */
        upstreamModel?: string | null;
        maxConcurrency?: MaxConcurrency;
      }
  )[];
  /**
   * Asked of the server where absent or null
   */
  contextLength?: number | null;
  /**
   * The output that is held for where a request names none
   */
  defaultMaxTokens?: number | null;
  price: Price;
  /**
   * The Kubernetes namespace that serves it
   */
  namespace?: string | null;
  /**
   * At most 16 KiB as JSON
   */
  metadata?: {
    [k: string]: unknown;
  } | null;
  requestsPerMinute?: RequestsPerMinute;
  tokensPerMinute?: TokensPerMinute;
  parallelRequests?: ParallelRequests;
  startSeconds?: StartSeconds;
  fallbacks?: Fallbacks | null;
  maxOutputTokens?: MaxOutputTokens;
};
export type Model = {
  id: Id;
  name: Name;
  environment: Environment;
  status: ModelStatus;
  /**
   * Why it is not ready, or what keeps it from being enabled
   */
  reason?: string;
  contextLength: number | null;
  defaultMaxTokens: number;
  price: Price;
  priceVersion: number;
  endpoints: {
    id: Id;
    url: string;
    upstreamModel: string;
    /**
     * Where a streamed answer reports its usage; null = not known yet
     */
    usage: 'every-chunk' | 'last-chunk' | 'none' | null;
    tokenize: boolean;
    /**
     * unknown: not asked yet, or, of a model that scales to zero, not running
     */
    health: 'unknown' | 'healthy' | 'unhealthy';
    healthAt: string | null;
    healthReason: string | null;
    maxConcurrency: MaxConcurrency;
    /**
     * The object of Kubernetes that the endpoint is of and goes with, such as `Service models/llama`; null: registered by hand
     */
    object: string | null;
  }[];
  namespace: string | null;
  metadata: {
    [k: string]: unknown;
  };
  requestsPerMinute?: RequestsPerMinute;
  tokensPerMinute?: TokensPerMinute;
  parallelRequests?: ParallelRequests;
  startSeconds: StartSeconds;
  fallbacks: Fallbacks;
  /**
   * Those of `fallbacks` that no model of the environment is named by; absent where there are none
   */
  missingFallbacks?: Name[];
  maxOutputTokens: MaxOutputTokens;
};
export type AuditEntry = {
  id: Id;
  /**
   * A UUID in lower case
   */
  org?: string;
  at: Instant;
  actor: {
    /**
     * operator: with the admin key; machine: with a token of the provider; database: a role of PostgreSQL, by sluice registry --database-url; system: nobody asked, such as a purge
     */
    kind: 'operator' | 'user' | 'service' | 'machine' | 'database' | 'system';
    id: string;
    /**
     * An email or the name of a key
     */
    name: string;
  };
  /**
   * An operationId of this document, or what else changed it, such as login
   */
  operation: string;
  subjectKind: string;
  subject: Id;
  /**
   * Absent where it was made. Without secrets
   */
  before?: {
    [k: string]: unknown;
  };
  /**
   * Absent where it is gone
   */
  after?: {
    [k: string]: unknown;
  };
  request?: string;
  clientAddress?: string;
};
export type Problem = {
  type: string;
  /**
   * What the code means
   */
  title: string;
  status: number;
  /**
   * Stable; for programs
   */
  code: string;
  /**
   * What was expected and what came; for people
   */
  detail: string;
  /**
   * The field or parameter that was wrong
   */
  parameter?: string;
  /**
   * The path that was asked for
   */
  instance?: string;
};
export type ListOrgsAnswer = {
  data: Org[];
  next?: Next;
};
export type PurgeOrgsAnswer = {
  purged: Id[];
  more: boolean;
};
export type ListProjectsAnswer = {
  data: Project[];
  next?: Next;
};
export type CreateKeyAnswer = {
  id: Id;
  secretShown?: SecretShown;
  /**
   * Only in the answer to its creation or rotation
   */
  key?: string;
  /**
   * The middle of the key; no secret
   */
  publicId: string;
  org: Id;
  project: Id;
  name: Name;
  models?: KeyModels;
  environments?: KeyEnvironments;
  scopes?: KeyScopes;
  expiresAt?: Instant;
  revokedAt?: Instant;
  rotatedAt?: Instant;
  /**
   * Until then the secret before the last rotation is good; absent when it is not
   */
  previousExpiresAt?: string;
  /**
   * Of a request of it that has ended; to the minute
   */
  lastUsedAt?: string;
  requestsPerMinute?: RequestsPerMinute;
  tokensPerMinute?: TokensPerMinute;
  parallelRequests?: ParallelRequests;
  maxOutputTokens?: MaxOutputTokens;
  createdAt: Instant;
};
export type ListKeysAnswer = {
  data: Key[];
  next?: Next;
};
export type ListUsersAnswer = {
  data: User[];
  next?: Next;
};
export type ListMembersAnswer = {
  data: Member[];
  next?: Next;
};
export type ListGroupRolesAnswer = {
  data: GroupRole[];
  next?: Next;
};
export type CreateServiceKeyAnswer = {
  id: Id;
  secretShown?: SecretShown;
  /**
   * Only in the answer to its creation
   */
  key?: string;
  /**
   * The middle of the key; no secret
   */
  publicId: string;
  org: Id;
  /**
   * A UUID in lower case
   */
  project?: string;
  name: Name;
  role: Role;
  expiresAt?: Instant;
  revokedAt?: Instant;
  /**
   * To the minute
   */
  lastUsedAt?: string;
  createdAt: Instant;
};
export type ListServiceKeysAnswer = {
  data: ServiceKey[];
  next?: Next;
};
export type ListBudgetsAnswer = {
  data: Budget[];
  next?: Next;
};
export type ListTopUpsAnswer = {
  data: TopUp[];
  /**
   * 1 to 200 letters, digits and any of . _ : -
   */
  next?: string;
};
export type ListLedgerAnswer = {
  data: LedgerEntry[];
  next?: Cursor;
};
export type ListDeadLettersAnswer = {
  data: DeadLetter[];
  next?: Cursor;
};
export type GetUsageAnswer = {
  from: Instant;
  to: Instant;
  granularity: 'hour' | 'day' | 'month' | 'total';
  data: UsageRow[];
  truncated?: boolean;
};
export type ListModelsAnswer = {
  data: Model[];
  next?: Cursor;
};
export type ListAuditAnswer = {
  data: AuditEntry[];
  next?: Next;
};
export type GetOpenApiAnswer = {
  [k: string]: unknown;
};
