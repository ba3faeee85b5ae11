/**
Announce: what a changed budget sends to the broker, in the transaction that changed it.

In: a connection that has locked the budget's windows. Out: rows of the outbox. A lowered limit can put a window over a share
of it, or over all of it, with no debit to come that would say so.
*/
import type pg from 'pg';
import {makeEvent} from '../../../events/event.ts';
import {insertIntoOutbox, type OutboxRow} from '../../../events/outbox.ts';
import {type Charged, thresholds} from '../../../events/thresholds.ts';
import type {Unit} from './amount.ts';
import type {TopUpRow} from './top-up.ts';

const windowsText = `
  select w.id, w.org_id as org, w.budget_id as budget, b.unit, b.thresholds, w.threshold_reached as "thresholdReached",
         w."limit", w.spent, w.overage
  from windows w join budgets b on b.id = w.budget_id
  where w.budget_id = $1 and w.ends_at > now() order by w.id`;
const windowText = `
  select w.org_id as org, b.unit, w."limit", w.spent + w.overage as charged
  from windows w join budgets b on b.id = w.budget_id where w.id = $1`;

export const announceShares = async (client: pg.PoolClient, budget: string, time: Date) => {
  const {rows: windows} = await client.query<Charged>(windowsText, [budget]);
  for (const before of windows) {
    const {window, rows} = thresholds(before, time);
    if (rows.length > 0) {
      await client.query('update windows set threshold_reached = $2 where id = $1', [
        window.id,
        window.thresholdReached,
      ]);
      await insertIntoOutbox(client, rows);
    }
  }
};

export const announceTopUp = async (client: pg.PoolClient, topUp: TopUpRow, time: Date) => {
  const {rows} = await client.query<{org: string; unit: Unit; limit: bigint; charged: bigint}>(
    windowText,
    [topUp.window_id],
  );
  const window = rows[0] as (typeof rows)[number];
  const row: OutboxRow = {
    destination: 'broker:default',
    event: makeEvent({
      type: 'dev.sluice.budget.toppedup.v1',
      from: 'admin',
      id: `${topUp.budget_id}/${topUp.window_id}/top-up/${topUp.id}`,
      orgid: window.org,
      subject: topUp.budget_id,
      time,
      data: {
        budget: topUp.budget_id,
        window: topUp.window_id,
        topUp: topUp.id,
        unit: window.unit,
        amount: String(topUp.amount),
        limit: String(window.limit),
        charged: String(window.charged),
      },
    }),
  };
  await insertIntoOutbox(client, [row]);
};
