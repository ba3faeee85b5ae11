/**
Rates: the limits of an organisation, a project or a key as they come in a request and go into its row.

In: the fields of a request. Out: the columns that they name. What is absent stays as it is, null takes a limit away.
*/
import type {RateColumns, RateFields} from '../../../events/rates.ts';

export const toRateColumns = (fields: RateFields): Partial<RateColumns> => ({
  ...(fields.requestsPerMinute === undefined
    ? {}
    : {requests_per_minute: fields.requestsPerMinute}),
  ...(fields.tokensPerMinute === undefined ? {} : {tokens_per_minute: fields.tokensPerMinute}),
  ...(fields.parallelRequests === undefined ? {} : {parallel_requests: fields.parallelRequests}),
});

/** In the order of the columns, for an INSERT. */
export const rateValues = ({requestsPerMinute, tokensPerMinute, parallelRequests}: RateFields) => [
  requestsPerMinute ?? null,
  tokensPerMinute ?? null,
  parallelRequests ?? null,
];

/** $1 the id, $2 the columns that change, as JSON: a column that is not in it keeps its value. */
export const changeText = (
  table: 'orgs' | 'projects' | 'keys',
  columns: readonly string[] = [],
) => {
  const names = [...columns, 'requests_per_minute', 'tokens_per_minute', 'parallel_requests'];
  return `
    update ${table} set (${names.join(', ')}) = (
      select ${names.map(name => `changed.${name}`).join(', ')}
      from jsonb_populate_record(${table}, $2::jsonb) as changed)
    where id = $1 returning *`;
};
