/**
What a batch changed, written back: one statement a table. In: the changes. Out: nothing; a row that breaks a rule of the
schema breaks the transaction.
*/
import type {Queryable} from '../../events/database.ts';
import {insertDeadLetters} from '../../events/dead-letters.ts';
import {insertIntoOutbox} from '../../events/outbox.ts';
import type {Changes, LeaseRow, LedgerEntry, OpenRequest, WindowRow} from './store.ts';

export const write = async (client: Queryable, changes: Changes) => {
  await updateWindows(client, changes.windows);
  await updateLeases(client, changes.leases);
  await deleteRequests(client, changes.closed);
  await insertRequests(client, changes.opened);
  await insertEntries(client, changes.entries);
  await insertIntoOutbox(client, changes.outbox);
  await insertDeadLetters(client, changes.deadLetters);
};

/** An array literal of ids and numbers, which need no quotes: the client's own way looks at every letter of each. */
const plain = (list: readonly (string | number | bigint | boolean)[]) => `{${list.join(',')}}`;

const updateWindows = async (client: Queryable, windows: readonly WindowRow[]) => {
  if (windows.length > 0) {
    await client.query({
      name: 'budget-windows-update',
      text: `update windows w
             set spent = c.spent, leased = c.leased, overage = c.overage, ceiling = c.ceiling, threshold_reached = c.threshold
             from unnest($1::uuid[], $2::bigint[], $3::bigint[], $4::bigint[], $5::bigint[], $6::smallint[])
               as c (id, spent, leased, overage, ceiling, threshold)
             where w.id = c.id`,
      values: [
        plain(windows.map(window => window.id)),
        plain(windows.map(window => window.spent)),
        plain(windows.map(window => window.leased)),
        plain(windows.map(window => window.overage)),
        plain(windows.map(window => window.ceiling)),
        plain(windows.map(window => window.thresholdReached)),
      ],
    });
  }
};

const updateLeases = async (client: Queryable, leases: readonly LeaseRow[]) => {
  if (leases.length > 0) {
    await client.query({
      name: 'budget-leases-update',
      text: `update leases l set state = c.state, settled = c.settled, returned = c.returned, open = c.open
             from unnest($1::uuid[], $2::text[], $3::bigint[], $4::bigint[], $5::bigint[]) as c (id, state, settled, returned, open)
             where l.id = c.id`,
      values: [
        plain(leases.map(lease => lease.id)),
        plain(leases.map(lease => lease.state)),
        plain(leases.map(lease => lease.settled)),
        plain(leases.map(lease => lease.returned)),
        plain(leases.map(lease => lease.open)),
      ],
    });
  }
};

const deleteRequests = async (client: Queryable, ids: readonly string[]) => {
  if (ids.length > 0) {
    await client.query({
      name: 'budget-requests-delete',
      text: 'delete from requests where id = any($1::uuid[])',
      values: [plain(ids)],
    });
  }
};

const insertRequests = async (client: Queryable, requests: readonly OpenRequest[]) => {
  if (requests.length > 0) {
    await client.query({
      name: 'budget-requests-insert',
      text: `insert into requests (id, org_id, deadline, intent, covered)
             select id, org, deadline, intent::jsonb, covered::jsonb
             from unnest($1::uuid[], $2::uuid[], $3::timestamptz[], $4::text[], $5::text[]) as r (id, org, deadline, intent, covered)`,
      values: [
        plain(requests.map(({id}) => id)),
        plain(requests.map(({org}) => org)),
        plain(requests.map(({deadlineMs}) => new Date(deadlineMs).toISOString())),
        requests.map(({intent, traceparent}) => JSON.stringify({...intent, traceparent})),
        requests.map(({covered}) => JSON.stringify(covered)),
      ],
    });
  }
};

const insertEntries = async (client: Queryable, entries: readonly LedgerEntry[]) => {
  if (entries.length > 0) {
    await client.query({
      name: 'budget-ledger-insert',
      text: `insert into ledger (month, request, entry, org_id, project_id, key_id, model, model_id, environment, price_version,
               at, input_tokens, cached_input_tokens, output_tokens, cost_nanos, estimated, outcome, traceparent, charges)
             select month, request, entry, org, project, key, model, model_id, environment, price_version,
               at, input, cached, output, cost, estimated, outcome, traceparent, charges::jsonb
             from unnest($1::date[], $2::uuid[], $3::text[], $4::uuid[], $5::uuid[], $6::uuid[], $7::text[], $8::uuid[],
               $9::text[], $10::integer[], $11::timestamptz[], $12::bigint[], $13::bigint[], $14::bigint[], $15::bigint[],
               $16::boolean[], $17::text[], $18::text[], $19::text[])
               as e (month, request, entry, org, project, key, model, model_id, environment, price_version,
                 at, input, cached, output, cost, estimated, outcome, traceparent, charges)`,
      values: [
        plain(entries.map(entry => entry.month)),
        plain(entries.map(entry => entry.request)),
        plain(entries.map(entry => entry.entry)),
        plain(entries.map(entry => entry.org)),
        plain(entries.map(entry => entry.project)),
        plain(entries.map(entry => entry.key)),
        entries.map(entry => entry.model),
        plain(entries.map(entry => entry.modelId)),
        plain(entries.map(entry => entry.environment)),
        plain(entries.map(entry => entry.priceVersion)),
        plain(entries.map(entry => entry.at)),
        plain(entries.map(entry => entry.inputTokens)),
        plain(entries.map(entry => entry.cachedInputTokens)),
        plain(entries.map(entry => entry.outputTokens)),
        plain(entries.map(entry => entry.costNanos)),
        plain(entries.map(entry => entry.estimated)),
        plain(entries.map(entry => entry.outcome)),
        entries.map(entry => entry.traceparent ?? null),
        entries.map(chargesOf),
      ],
    });
  }
};

/** Amounts as strings of digits: a reader that takes JSON numbers as floats must not round them. */
const chargesOf = ({charges}: LedgerEntry) =>
  JSON.stringify(charges, (_name, value) => (typeof value === 'bigint' ? value.toString() : value));
