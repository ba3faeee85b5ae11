/**
Rates: how much somebody may use, as it is kept with them: requests and tokens a minute, requests at once.

In: columns of a row. Out: rates, or undefined where nothing is limited. An absent one is no limit.
*/
export const rateUnits = ['requests', 'tokens', 'parallel'] as const;
export type RateUnit = (typeof rateUnits)[number];
export type Rates = Readonly<Partial<Record<RateUnit, number>>>;

export type RateColumns = {
  requests_per_minute: number | null;
  tokens_per_minute: number | null;
  parallel_requests: number | null;
};

/** The names in the HTTP API. */
export type RateFields = Readonly<{
  requestsPerMinute?: number | null;
  tokensPerMinute?: number | null;
  parallelRequests?: number | null;
}>;

export const toRates = (row: RateColumns): Rates | undefined => {
  const rates = {
    ...(row.requests_per_minute === null ? {} : {requests: row.requests_per_minute}),
    ...(row.tokens_per_minute === null ? {} : {tokens: row.tokens_per_minute}),
    ...(row.parallel_requests === null ? {} : {parallel: row.parallel_requests}),
  };
  return Object.keys(rates).length === 0 ? undefined : rates;
};

/** A row's rates as the HTTP API shows them: what is not limited is absent. */
export const rateView = (row: RateColumns) => ({
  ...(row.requests_per_minute === null ? {} : {requestsPerMinute: row.requests_per_minute}),
  ...(row.tokens_per_minute === null ? {} : {tokensPerMinute: row.tokens_per_minute}),
  ...(row.parallel_requests === null ? {} : {parallelRequests: row.parallel_requests}),
});
