/**
Limits: every bound that keeps a queue, a body, a cache or a wait finite. Units are in the names.
A function takes them as a parameter with these as default, so that a test can make them small.
*/
export const limits = {
  /** Bodies of requests and events. */
  bodyBytes: 10 * 1024 * 1024,
  headerBytes: 16 * 1024,
  headers: 100,
  urlCharacters: 4_096,
  /** From a request's first byte to its last; Knative Serving allows no more. */
  requestMs: 600_000,
  /** From sending upstream to the first byte back. */
  firstByteMs: 120_000,
  /** Between two bytes from upstream. */
  idleUpstreamMs: 60_000,
  /** A client may take this long to send headers, and headers and body. */
  clientHeaderMs: 10_000,
  clientBodyMs: 30_000,
  /** A client that takes nothing of what waits for it for so long is cut off: it vanished, or does not read. */
  clientIdleMs: 60_000,
  /** A connection on which nothing moves for so long is asked whether its other end is there (TCP), once a second, ten times. */
  clientProbeMs: 15_000,
  openRequests: 10_000,
  /** Requests that wait until an endpoint of their model has room: so many a model, so long each. */
  queueMax: 1_000,
  queueMs: 10_000,
  /** A stream that waits for its model to start is sent a comment after so long, and then every so often. */
  firstCommentMs: 5_000,
  commentMs: 10_000,
  batchEvents: 500,
  batchBytes: 1024 * 1024,
  /** What may wait in the outbox before new requests are refused: rows, and the age of the oldest. */
  outboxRows: 1_000_000,
  outboxAgeMs: 3_600_000,
  leaseTtlMs: 60_000,
  /** A lease is unusable this long before its end: what clocks may disagree by, and a write may take. */
  leaseMarginMs: 5_000,
  /** A lease is fenced when it is past its end by this share of its life. */
  fenceAfterShare: 0.25,
  /** After its deadline a request without a result waits this long before it is settled by policy. */
  unsettledGraceMs: 60_000,
  /** A request waits this long for a lease, then it is told that the budget is busy or cannot be read. */
  leaseWaitMs: 2_000,
  /** An append to a log is given up after this: an intent is refused, a result sent again. */
  appendMs: 2_000,
  /** A gateway that cannot read the changes serves what it knows for this long. */
  staleMaxMs: 60_000,
  principals: 100_000,
  /** After a request's deadline its claim on an Idempotency-Key lasts this long: its holder is dead by then. */
  claimMarginMs: 60_000,
  /** How long a key is remembered after its request has ended, and its result where one is kept. */
  claimKeepMs: 86_400_000,
  /** What a store of claims may take to answer, before the process goes on with its own. */
  claimStoreMs: 2_000,
  /** A connection to Redis for limits that says nothing for so long is made anew; who waits has given up after a quarter of it. */
  limitReplyMs: 1_000,
  /** An answer is recorded for others with its key, and kept, up to this size; all of a process's at once up to the other. */
  resultBytes: 1024 * 1024,
  resultsBytes: 64 * 1024 * 1024,
  modelCacheMs: 120_000,
  /** What a gateway's streams may take to end; other functions have 30 s. */
  drainMs: 600_000,
} as const;

export type Limits = {readonly [Name in keyof typeof limits]: number};

/** The largest amount one request may cost: $1,000,000 in nano-USD, still a safe integer. */
export const requestNanosMax = 1_000_000_000_000_000;
