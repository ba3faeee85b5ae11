/**
Claim and hang: a process that takes an event in hand by `onceByClaim` and never ends it, for a test to kill.

In: DATABASE_URL, HOLD_MS. Out: the message `held` to its parent, and a line in the table `effects`.
*/
import {createPool} from '../../events/database.ts';
import {onceByClaim} from '../../events/once.ts';

const {DATABASE_URL = '', HOLD_MS = ''} = process.env;
const client = createPool({databaseUrl: DATABASE_URL, name: 'hang', connectTimeoutMs: 60_000});
await onceByClaim({client, consumer: 'a', holdMs: Number(HOLD_MS)})(async (_event, {attempt}) => {
  await client.query('insert into effects values ($1)', [attempt]);
  process.send?.('held');
  return new Promise(() => {});
})({specversion: '1.0', id: '1', source: '/s', type: 'asked'});
