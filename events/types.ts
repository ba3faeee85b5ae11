/** Rendered from schemas/events by `npm run render`; do not edit. */
/**
 * Somebody changed something by the admin API. Without secrets and their hashes; the event is in the transaction of the change.
 *
 * `dev.sluice.audit.recorded.v1`
 */
export type AuditRecorded = {
  /**
   * The entry: GET /admin/v1/audit/{id}
   */
  audit: string;
  actor: {
    kind: 'operator' | 'user' | 'service' | 'machine' | 'database' | 'system';
    id: string;
    name: string;
  };
  /**
   * Its operationId in the OpenAPI document
   */
  operation: string;
  subjectKind: string;
  subject: string;
  /**
   * Absent where it was made
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
  /**
   * before and after are too large for an event; the entry has them
   */
  partial?: true;
  request?: string;
};

/**
 * The reply to dev.sluice.auth.check.requested.v1, without the key.
 *
 * `dev.sluice.auth.check.completed.v1`
 */
export type AuthCheckCompleted = {
  /**
   * Whether the key may pass.
   */
  allowed: boolean;
  /**
   * Why not: the request is none, the key is unknown, revoked or expired, its organisation is suspended, or it may not be used in this environment, for this, or with this model.
   */
  reason?: 'malformed' | 'unauthorized' | 'suspended' | 'environment' | 'scope' | 'model';
  /**
   * The organisation of the key. This and what follows are there when it is allowed.
   */
  org?: string;
  project?: string;
  /**
   * The id of the key, which is no secret.
   */
  key?: string;
  /**
   * What the key may be used for.
   */
  scopes?: string[];
};

/**
 * A producer of events asks whether a key may pass. It has a secret in it, so it is posted to the function auth itself, with the bearer token of sources, and never sent by a broker or a log.
 *
 * `dev.sluice.auth.check.requested.v1`
 */
export type AuthCheckRequested = {
  /**
   * The API key that came.
   */
  key: string;
  /**
   * What it is to be used for; without one any key passes that is good for something.
   */
  scope?: 'inference' | 'models' | 'events';
  /**
   * The model that it is to be used with.
   */
  model?: string;
};

/**
 * A window's charges reached its limit. Once a window.
 *
 * `dev.sluice.budget.exhausted.v1`
 */
export type BudgetExhausted = {
  budget: string;
  window: string;
  unit: 'usd' | 'tokens' | 'gpu_ms';
  /**
   * In the budget's unit (usd: nano-USD), as digits: a window's total can exceed a safe integer.
   */
  limit: string;
  charged: string;
};

/**
 * A window's charges reached a share of its limit. Once a window and threshold.
 *
 * `dev.sluice.budget.threshold.reached.v1`
 */
export type BudgetThresholdReached = {
  budget: string;
  window: string;
  unit: 'usd' | 'tokens' | 'gpu_ms';
  /**
   * In the budget's unit (usd: nano-USD), as digits: a window's total can exceed a safe integer.
   */
  limit: string;
  charged: string;
  /**
   * Per cent of the limit.
   */
  threshold: number;
};

/**
 * The limit of a budget's window was raised by a top-up. Once a top-up.
 *
 * `dev.sluice.budget.toppedup.v1`
 */
export type BudgetToppedup = {
  budget: string;
  window: string;
  /**
   * The id that the client gave it.
   */
  topUp: string;
  unit: 'usd' | 'tokens' | 'gpu_ms';
  /**
   * In the budget's unit (usd: nano-USD), as digits.
   */
  amount: string;
  /**
   * Of the window, with everything that was topped up.
   */
  limit: string;
  charged: string;
};

/**
 * An event that could not be handled or delivered was kept. Once a letter; a letter about one of these is not told of.
 *
 * `dev.sluice.deadletter.stored.v1`
 */
export type DeadletterStored = {
  /**
   * The letter, which `/admin/v1/dead-letters/{id}` shows.
   */
  letter: string;
  /**
   * The Trigger or consumer whose delivery failed, or the function that refused.
   */
  subscription: string;
  /**
   * The type of the event that failed, where it has one.
   */
  type?: string;
  /**
   * Why it failed, without anything of the event or of the receiver's answer.
   */
  reason: string;
  /**
   * What the receiver answered last.
   */
  status?: number;
  /**
   * False when it came over HTTP, where anybody in the cluster can post.
   */
  proved: boolean;
};

/**
 * A gateway saw an endpoint fail, or answer although it is not known to be healthy, or an ill one may be back. A hint: the registry probes it and believes only the probe.
 *
 * `dev.sluice.endpoint.suspected.v1`
 */
export type EndpointSuspected = {
  model: string;
  endpoint: string;
  reason: string;
};

/**
 * Hello has greeted somebody.
 *
 * `dev.sluice.hello.greeted.v1`
 */
export type HelloGreeted = {
  /**
   * Who is greeted.
   */
  name: string;
  /**
   * The greeting.
   */
  greeting: string;
};

/**
 * Somebody wants to be greeted: the first event to try a broker with.
 *
 * `dev.sluice.hello.requested.v1`
 */
export type HelloRequested = {
  /**
   * Who is greeted.
   */
  name: string;
};

/**
 * A result came after its request had been settled by policy: what the request really was. Tokens and cost are the whole, not the difference.
 *
 * `dev.sluice.inference.corrected.v1`
 */
export type InferenceCorrected = {
  /**
   * The request's id, a UUIDv7 made by the gateway.
   */
  request: string;
  /**
   * Organisation.
   */
  orgid: string;
  /**
   * Project.
   */
  project: string;
  /**
   * API key.
   */
  key: string;
  /**
   * The model's name in its environment.
   */
  model: string;
  /**
   * The model's id.
   */
  modelId: string;
  environment: 'development' | 'staging' | 'production';
  /**
   * The URL of the endpoint that served it; empty when none was reached.
   */
  endpoint: string;
  operation: 'chat.completions' | 'completions' | 'embeddings' | 'responses' | 'messages';
  streamed: boolean;
  /**
   * The version of the model's price.
   */
  priceVersion: number;
  /**
   * The accounting instant: decides window, month and hour.
   */
  startedAt: string;
  /**
   * The client's own x-request-id, kept as a label.
   */
  label?: string;
  /**
   * When the last byte went to the client, or the request ended otherwise.
   */
  finishedAt: string;
  /**
   * How the request ended.
   */
  outcome:
    | 'completed'
    | 'upstream_error'
    | 'client_aborted'
    | 'deadline_exceeded'
    | 'shutdown'
    | 'lease_lost'
    | 'refused_upstream'
    | 'suspended'
    | 'revoked';
  /**
   * The HTTP status that the client was sent; absent when it received none, or when fallbacks were asked after this request.
   */
  status?: number;
  /**
   * Tokens of the prompt, cached ones included.
   */
  inputTokens: number;
  /**
   * Those of them that came from the model server's cache.
   */
  cachedInputTokens: number;
  /**
   * Tokens generated.
   */
  outputTokens: number;
  /**
   * Cost in nano-USD at the price version.
   */
  costNanos: number;
  /**
   * True when no usage report was received and the tokens were counted or derived.
   */
  estimated: boolean;
  /**
   * From the request's arrival to its end.
   */
  latencyMs: number;
  /**
   * How many endpoints it was sent to, one after the other; absent when it was one or none.
   */
  tries?: number;
  /**
   * From the request's arrival to the first content.
   */
  timeToFirstTokenMs?: number;
  /**
   * What the correction added to the ledger, nano-USD, signed.
   */
  differenceNanos: number;
};

/**
 * The result: exactly one for every intent, whatever way the request ended.
 *
 * `dev.sluice.inference.finished.v1`
 */
export type InferenceFinished = {
  /**
   * The request's id, a UUIDv7 made by the gateway.
   */
  request: string;
  /**
   * Organisation.
   */
  orgid: string;
  /**
   * Project.
   */
  project: string;
  /**
   * API key.
   */
  key: string;
  /**
   * The model's name in its environment.
   */
  model: string;
  /**
   * The model's id.
   */
  modelId: string;
  environment: 'development' | 'staging' | 'production';
  /**
   * The URL of the endpoint that served it; empty when none was reached.
   */
  endpoint: string;
  operation: 'chat.completions' | 'completions' | 'embeddings' | 'responses' | 'messages';
  streamed: boolean;
  /**
   * The version of the model's price.
   */
  priceVersion: number;
  /**
   * The accounting instant: decides window, month and hour.
   */
  startedAt: string;
  /**
   * The client's own x-request-id, kept as a label.
   */
  label?: string;
  /**
   * When the last byte went to the client, or the request ended otherwise.
   */
  finishedAt: string;
  /**
   * How the request ended.
   */
  outcome:
    | 'completed'
    | 'upstream_error'
    | 'client_aborted'
    | 'deadline_exceeded'
    | 'shutdown'
    | 'lease_lost'
    | 'refused_upstream'
    | 'suspended'
    | 'revoked';
  /**
   * The HTTP status that the client was sent; absent when it received none, or when fallbacks were asked after this request.
   */
  status?: number;
  /**
   * Tokens of the prompt, cached ones included.
   */
  inputTokens: number;
  /**
   * Those of them that came from the model server's cache.
   */
  cachedInputTokens: number;
  /**
   * Tokens generated.
   */
  outputTokens: number;
  /**
   * Cost in nano-USD at the price version.
   */
  costNanos: number;
  /**
   * True when no usage report was received and the tokens were counted or derived.
   */
  estimated: boolean;
  /**
   * From the request's arrival to its end.
   */
  latencyMs: number;
  /**
   * How many endpoints it was sent to, one after the other; absent when it was one or none.
   */
  tries?: number;
  /**
   * From the request's arrival to the first content.
   */
  timeToFirstTokenMs?: number;
  /**
   * @maxItems 16
   */
  budgets: {
    /**
     * The budget.
     */
    budget: string;
    /**
     * The window that its lease was granted in.
     */
    window: string;
    /**
     * The lease that the hold was taken from.
     */
    lease: string;
    unit: 'usd' | 'tokens' | 'gpu_ms';
    /**
     * The most that the request can cost, in the budget's unit (usd: nano-USD).
     */
    hold: number;
    /**
     * What it cost, in the budget's unit (usd: nano-USD).
     */
    amount: number;
  }[];
};

/**
 * The intent: a request goes upstream. Acknowledged by the log before the first byte goes to the client.
 *
 * `dev.sluice.inference.started.v1`
 */
export type InferenceStarted = {
  /**
   * The request's id, a UUIDv7 made by the gateway.
   */
  request: string;
  /**
   * Organisation.
   */
  orgid: string;
  /**
   * Project.
   */
  project: string;
  /**
   * API key.
   */
  key: string;
  /**
   * The model's name in its environment.
   */
  model: string;
  /**
   * The model's id.
   */
  modelId: string;
  environment: 'development' | 'staging' | 'production';
  /**
   * The URL of the endpoint that served it; empty when none was reached.
   */
  endpoint: string;
  operation: 'chat.completions' | 'completions' | 'embeddings' | 'responses' | 'messages';
  streamed: boolean;
  /**
   * The version of the model's price.
   */
  priceVersion: number;
  /**
   * The accounting instant: decides window, month and hour.
   */
  startedAt: string;
  /**
   * The client's own x-request-id, kept as a label.
   */
  label?: string;
  /**
   * The gateway ends the request by itself at this instant; 600 s after startedAt at most.
   */
  deadline: string;
  /**
   * UTF-8 bytes of the prompt: what the policy `prompt` charges ÷ 4 as input tokens when no result ever comes.
   */
  promptBytes: number;
  /**
   * What to charge when no result ever comes.
   */
  unsettledPolicy: 'prompt' | 'hold' | 'waive';
  /**
   * One hold for every budget that the request touches.
   *
   * @maxItems 16
   */
  budgets: {
    /**
     * The budget.
     */
    budget: string;
    /**
     * The window that its lease was granted in.
     */
    window: string;
    /**
     * The lease that the hold was taken from.
     */
    lease: string;
    unit: 'usd' | 'tokens' | 'gpu_ms';
    /**
     * The most that the request can cost, in the budget's unit (usd: nano-USD).
     */
    hold: number;
  }[];
};

/**
 * A request was settled by policy because its result had not come a minute after its deadline.
 *
 * `dev.sluice.inference.unsettled.v1`
 */
export type InferenceUnsettled = {
  /**
   * The request's id, a UUIDv7 made by the gateway.
   */
  request: string;
  /**
   * Organisation.
   */
  orgid: string;
  /**
   * Project.
   */
  project: string;
  /**
   * API key.
   */
  key: string;
  /**
   * The model's name in its environment.
   */
  model: string;
  /**
   * The model's id.
   */
  modelId: string;
  environment: 'development' | 'staging' | 'production';
  /**
   * The URL of the endpoint that served it; empty when none was reached.
   */
  endpoint: string;
  operation: 'chat.completions' | 'completions' | 'embeddings' | 'responses' | 'messages';
  streamed: boolean;
  /**
   * The version of the model's price.
   */
  priceVersion: number;
  /**
   * The accounting instant: decides window, month and hour.
   */
  startedAt: string;
  /**
   * The client's own x-request-id, kept as a label.
   */
  label?: string;
  settledAt: string;
  policy: 'prompt' | 'hold' | 'waive';
  /**
   * Tokens of the prompt, cached ones included.
   */
  inputTokens: number;
  /**
   * Those of them that came from the model server's cache.
   */
  cachedInputTokens: number;
  /**
   * Tokens generated.
   */
  outputTokens: number;
  /**
   * Cost in nano-USD at the price version.
   */
  costNanos: number;
  /**
   * True when no usage report was received and the tokens were counted or derived.
   */
  estimated: boolean;
};

/**
 * An API key was created. Its secret is never in an event.
 *
 * `dev.sluice.key.created.v1`
 */
export type KeyCreated = {
  key: string;
  project: string;
  name: string;
};

/**
 * An API key was revoked.
 *
 * `dev.sluice.key.revoked.v1`
 */
export type KeyRevoked = {
  key: string;
  project: string;
  name: string;
};

/**
 * A marker: who reads it has read every intent that this lease can still cover.
 *
 * `dev.sluice.lease.fenced.v1`
 */
export type LeaseFenced = {
  lease: string;
  window: string;
};

/**
 * The operator took a model out of routing.
 *
 * `dev.sluice.model.disabled.v1`
 */
export type ModelDisabled = {
  model: string;
  /**
   * The model's name in its environment.
   */
  name: string;
  environment: 'development' | 'staging' | 'production';
};

/**
 * The operator made a model routable.
 *
 * `dev.sluice.model.enabled.v1`
 */
export type ModelEnabled = {
  model: string;
  /**
   * The model's name in its environment.
   */
  name: string;
  environment: 'development' | 'staging' | 'production';
};

/**
 * An endpoint of a model became healthy or unhealthy.
 *
 * `dev.sluice.model.health.changed.v1`
 */
export type ModelHealthChanged = {
  model: string;
  /**
   * The model's name in its environment.
   */
  name: string;
  environment: 'development' | 'staging' | 'production';
  /**
   * The URL of the endpoint that served it; empty when none was reached.
   */
  endpoint: string;
  health: 'healthy' | 'unhealthy';
  reason?: string;
};

/**
 * A model was registered or its registration was replaced.
 *
 * `dev.sluice.model.registered.v1`
 */
export type ModelRegistered = {
  model: string;
  /**
   * The model's name in its environment.
   */
  name: string;
  environment: 'development' | 'staging' | 'production';
};

/**
 * An organisation was deleted. Until the purge it can be restored.
 *
 * `dev.sluice.org.deleted.v1`
 */
export type OrgDeleted = {
  org: string;
  /**
   * From then on its people, names and secrets are removed.
   */
  purgeAfter: string;
};

/**
 * A deleted organisation is there again, as it was.
 *
 * `dev.sluice.org.restored.v1`
 */
export type OrgRestored = {
  org: string;
};

/**
 * A suspended organisation may use its keys again.
 *
 * `dev.sluice.org.resumed.v1`
 */
export type OrgResumed = {
  org: string;
};

/**
 * An organisation was suspended: none of its keys begins a request any more.
 *
 * `dev.sluice.org.suspended.v1`
 */
export type OrgSuspended = {
  org: string;
  /**
   * Whether its running requests were ended too.
   */
  now: boolean;
  /**
   * In the words of who suspended it.
   */
  reason?: string;
};

/**
 * A marker: settle by policy every request of this organisation whose deadline was before the given instant.
 *
 * `dev.sluice.settlement.due.v1`
 */
export type SettlementDue = {
  dueBefore: string;
};

/**
 * A model server reported more usage than the request could have had. Charged up to the hold as spent, the rest as overage.
 *
 * `dev.sluice.usage.implausible.v1`
 */
export type UsageImplausible = {
  request: string;
  /**
   * The model's name in its environment.
   */
  model: string;
  /**
   * The URL of the endpoint that served it; empty when none was reached.
   */
  endpoint: string;
  /**
   * @maxItems 16
   */
  charges: {
    /**
     * The budget.
     */
    budget: string;
    /**
     * The window that its lease was granted in.
     */
    window: string;
    /**
     * The lease that the hold was taken from.
     */
    lease: string;
    unit: 'usd' | 'tokens' | 'gpu_ms';
    /**
     * The most that the request can cost, in the budget's unit (usd: nano-USD).
     */
    hold: number;
    /**
     * What it cost, in the budget's unit (usd: nano-USD).
     */
    amount: number;
  }[];
};

/**
 * Another router (LiteLLM, vLLM's production stack, a batch job) served a request with a model that is registered here. The attribute `orgid` says whose it is, `source` which router. Priced by us, charged without a lease; the same request of the same source and organisation within a month counts once.
 *
 * `dev.sluice.usage.recorded.v1`
 */
export type UsageRecorded = {
  /**
   * The router's own id of the request, unique within its source.
   */
  request: string;
  /**
   * When the request began: decides window, price, month and hour. Not older than 13 months, not more than a day ahead.
   */
  at: string;
  /**
   * The model's name in its environment, as it is registered here.
   */
  model: string;
  environment: 'development' | 'staging' | 'production';
  /**
   * Project of the organisation; the key's, or its first one, unless said.
   */
  project?: string;
  /**
   * API key of the project.
   */
  key?: string;
  /**
   * Tokens of the prompt, cached ones included.
   */
  inputTokens: number;
  /**
   * Those of them that came from the model server's cache; 0 unless said, never more than `inputTokens`.
   */
  cachedInputTokens?: number;
  /**
   * Tokens of the answer.
   */
  outputTokens: number;
  /**
   * How the request ended.
   */
  outcome: 'completed' | 'upstream_error' | 'client_aborted' | 'deadline_exceeded';
  /**
   * `chat.completions` unless said.
   */
  operation?: 'chat.completions' | 'completions' | 'embeddings' | 'responses' | 'messages';
  /**
   * false unless said.
   */
  streamed?: boolean;
  /**
   * The HTTP status that the client was sent.
   */
  status?: number;
  /**
   * From the request's beginning to its end.
   */
  latencyMs?: number;
  timeToFirstTokenMs?: number;
  /**
   * Any word of the router or its client, kept with the record.
   */
  label?: string;
};

/**
 * The whole world was greeted after somebody.
 *
 * `dev.sluice.world.greeted.v1`
 */
export type WorldGreeted = {
  /**
   * Who is greeted.
   */
  name: string;
  /**
   * The greeting.
   */
  greeting: string;
};

/** The data of each type of event. */
export type EventData = {
  'dev.sluice.audit.recorded.v1': AuditRecorded;
  'dev.sluice.auth.check.completed.v1': AuthCheckCompleted;
  'dev.sluice.auth.check.requested.v1': AuthCheckRequested;
  'dev.sluice.budget.exhausted.v1': BudgetExhausted;
  'dev.sluice.budget.threshold.reached.v1': BudgetThresholdReached;
  'dev.sluice.budget.toppedup.v1': BudgetToppedup;
  'dev.sluice.deadletter.stored.v1': DeadletterStored;
  'dev.sluice.endpoint.suspected.v1': EndpointSuspected;
  'dev.sluice.hello.greeted.v1': HelloGreeted;
  'dev.sluice.hello.requested.v1': HelloRequested;
  'dev.sluice.inference.corrected.v1': InferenceCorrected;
  'dev.sluice.inference.finished.v1': InferenceFinished;
  'dev.sluice.inference.started.v1': InferenceStarted;
  'dev.sluice.inference.unsettled.v1': InferenceUnsettled;
  'dev.sluice.key.created.v1': KeyCreated;
  'dev.sluice.key.revoked.v1': KeyRevoked;
  'dev.sluice.lease.fenced.v1': LeaseFenced;
  'dev.sluice.model.disabled.v1': ModelDisabled;
  'dev.sluice.model.enabled.v1': ModelEnabled;
  'dev.sluice.model.health.changed.v1': ModelHealthChanged;
  'dev.sluice.model.registered.v1': ModelRegistered;
  'dev.sluice.org.deleted.v1': OrgDeleted;
  'dev.sluice.org.restored.v1': OrgRestored;
  'dev.sluice.org.resumed.v1': OrgResumed;
  'dev.sluice.org.suspended.v1': OrgSuspended;
  'dev.sluice.settlement.due.v1': SettlementDue;
  'dev.sluice.usage.implausible.v1': UsageImplausible;
  'dev.sluice.usage.recorded.v1': UsageRecorded;
  'dev.sluice.world.greeted.v1': WorldGreeted;
};

/** Every type of the catalogue. */
export const eventTypes = [
  'dev.sluice.audit.recorded.v1',
  'dev.sluice.auth.check.completed.v1',
  'dev.sluice.auth.check.requested.v1',
  'dev.sluice.budget.exhausted.v1',
  'dev.sluice.budget.threshold.reached.v1',
  'dev.sluice.budget.toppedup.v1',
  'dev.sluice.deadletter.stored.v1',
  'dev.sluice.endpoint.suspected.v1',
  'dev.sluice.hello.greeted.v1',
  'dev.sluice.hello.requested.v1',
  'dev.sluice.inference.corrected.v1',
  'dev.sluice.inference.finished.v1',
  'dev.sluice.inference.started.v1',
  'dev.sluice.inference.unsettled.v1',
  'dev.sluice.key.created.v1',
  'dev.sluice.key.revoked.v1',
  'dev.sluice.lease.fenced.v1',
  'dev.sluice.model.disabled.v1',
  'dev.sluice.model.enabled.v1',
  'dev.sluice.model.health.changed.v1',
  'dev.sluice.model.registered.v1',
  'dev.sluice.org.deleted.v1',
  'dev.sluice.org.restored.v1',
  'dev.sluice.org.resumed.v1',
  'dev.sluice.org.suspended.v1',
  'dev.sluice.settlement.due.v1',
  'dev.sluice.usage.implausible.v1',
  'dev.sluice.usage.recorded.v1',
  'dev.sluice.world.greeted.v1',
] as const satisfies readonly (keyof EventData)[];
