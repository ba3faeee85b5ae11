/**
What a batch changed, written back: one statement a table. In: the changes. Out: nothing; a row that breaks a rule of the
schema breaks the transaction.
*/
import {inTurn, type Queryable} from '../../events/database.ts';
import {insertDeadLetters} from '../../events/dead-letters.ts';
import {insertIntoOutbox} from '../../events/outbox.ts';
import type {Changes, Charge, LeaseRow, LedgerEntry, OpenRequest, WindowRow} from './store.ts';

export const write = async (client: Queryable, changes: Changes) => {
  await inTurn(client, [
    () => updateWindows(client, changes.windows),
    () => updateLeases(client, changes.leases),
    () => deleteRequests(client, changes.closed),
    () => insertRequests(client, changes.opened),
    () => insertEntries(client, changes.entries),
    () => insertIntoOutbox(client, changes.outbox),
    () => insertDeadLetters(client, changes.deadLetters),
  ]);
};

/** An array literal of ids and numbers, which need no quotes: the client's own way looks at every letter of each. */
const plain = (list: readonly (string | number | bigint | boolean)[]) => `{${list.join(',')}}`;

/** Nothing that an array literal would take for anything but a letter, and not the word for no value. */
const bare = /^(?!null$)[\w.:/-]+$/i;
const texts = (list: readonly (string | undefined)[]) =>
  list.every(text => text === undefined || bare.test(text))
    ? plain(list.map(text => text ?? 'null'))
    : list.map(text => text ?? null);

/** For `string_to_array`: an array literal would escape every quote of every text. JSON has no bare \x1f. */
const separator = '\x1f';

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
             select * from unnest($1::uuid[], $2::uuid[], $3::timestamptz[], string_to_array($4, chr(31))::jsonb[],
               string_to_array($5, chr(31))::jsonb[])`,
      values: [
        plain(requests.map(({id}) => id)),
        plain(requests.map(({org}) => org)),
        plain(requests.map(({deadlineMs}) => new Date(deadlineMs).toISOString())),
        requests
          .map(({intent, traceparent}) => JSON.stringify({...intent, traceparent}))
          .join(separator),
        requests.map(({covered}) => `[${covered.join(',')}]`).join(separator),
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
               at, input, cached, output, cost, estimated, outcome, traceparent, charges
             from unnest($1::date[], $2::uuid[], $3::text[], $4::uuid[], $5::uuid[], $6::uuid[], $7::text[], $8::uuid[],
               $9::text[], $10::integer[], $11::timestamptz[], $12::bigint[], $13::bigint[], $14::bigint[], $15::bigint[],
               $16::boolean[], $17::text[], $18::text[], string_to_array($19, chr(31))::jsonb[])
               as e (month, request, entry, org, project, key, model, model_id, environment, price_version,
                 at, input, cached, output, cost, estimated, outcome, traceparent, charges)`,
      values: [
        plain(entries.map(entry => entry.month)),
        plain(entries.map(entry => entry.request)),
        plain(entries.map(entry => entry.entry)),
        plain(entries.map(entry => entry.org)),
        plain(entries.map(entry => entry.project)),
        plain(entries.map(entry => entry.key)),
        texts(entries.map(entry => entry.model)),
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
        texts(entries.map(entry => entry.traceparent)),
        entries.map(chargesOf).join(separator),
      ],
    });
  }
};

/**
Amounts as strings of digits: a reader that takes JSON numbers as floats must not round them. Put together by hand, because ids,
words and digits need no escaping and this is most of what a batch writes.
*/
const chargesOf = ({charges}: LedgerEntry) => `[${charges.map(chargeOf).join(',')}]`;

const chargeOf = ({budget, window, lease, unit, hold, amount, covered, overage}: Charge) =>
  `{"budget":"${budget}","window":"${window}",${lease === undefined ? '' : `"lease":"${lease}",`}"unit":"${unit}",` +
  `"hold":"${hold}","amount":"${amount}","covered":"${covered}","overage":"${overage}"}`;
