/** Kafka away: the outbox stands in within its bounds, nobody hangs, and the log has everything once. */
import assert from 'node:assert/strict';
import test from 'ava';
import {assertAnswered, assertLogged, longestMs} from '../helpers/away-assert.ts';
import {type AwayWorld, openAwayWorld} from '../helpers/away-world.ts';
import {eventually} from '../helpers/eventually.ts';

/** It takes 2 s to find out; a busy machine adds to that, a hang would add the rest of the minute. */
const foundMs = 6_000;
/** Nobody waits for what is known to be away: less than any of the waits. */
const atOnceMs = 1_500;

/** Until it is the log again; an append must try. */
const backAgain = async ({ask, keys, inStates}: AwayWorld) => {
  const asked = [];
  for (;;) {
    asked.push(await ask(keys.free));
    try {
      await inStates([], 200, 1_000);
      return asked;
    } catch (error) {
      if (asked.length === 30) {
        throw error;
      }
    }
  }
};

for (const [how, away, back] of [
  ['killed', ({kafka}: AwayWorld) => kafka?.kill(), ({kafka}: AwayWorld) => kafka?.start()],
  [
    'frozen',
    ({kafka}: AwayWorld) => process.kill(kafka?.pid() as number, 'SIGSTOP'),
    ({kafka}: AwayWorld) => process.kill(kafka?.pid() as number, 'SIGCONT'),
  ],
] as const) {
  test.serial(
    `Kafka ${how}: streams go on, new requests are served by the outbox, and refused when it has its bound`,
    async t => {
      t.timeout(240_000);
      const world = await openAwayWorld(t, {withKafka: true});
      const {keys, open, ask, askMany, inStates, metric, database} = world;
      const outbox = database.pool('superuser');
      const before = [await ask(keys.free), await ask(keys.budgeted)];
      assertAnswered(before, 200, 30_000);
      await inStates([], 200);
      const running = [await open(keys.free, 300), await open(keys.budgeted, 300)];

      await away(world);
      const first = await askMany(keys.free, 10);
      assertAnswered(first, 200, foundMs);
      await inStates(['kafka-away'], 200);
      const later = [...(await askMany(keys.free, 20)), ...(await askMany(keys.budgeted, 5))];
      assertAnswered(later, 200, atOnceMs);
      await eventually(async () =>
        assert.ok(((await metric('sluice_outbox_rows')) ?? 0) >= 2 * (first.length + later.length)),
      );
      t.log({longestMs: [longestMs(first), longestMs(later)]});

      // The bounds: the age of the oldest, then the rows.
      const oldest = (interval: string) =>
        outbox.query(
          'update outbox set created_at = now() - $1::interval where id = (select min(id) from outbox)',
          [interval],
        );
      await oldest('61 minutes');
      await inStates(['kafka-away', 'outbox-full'], 503);
      t.true(((await metric('sluice_outbox_age_seconds')) ?? 0) > 3_600);
      const refused = await askMany(keys.free, 10);
      assertAnswered(refused, 503, atOnceMs);
      await oldest('0 minutes');
      await inStates(['kafka-away'], 200);
      await outbox.query(
        `insert into outbox (id, destination, source, event_id, event) overriding system value
         select max(id) + 1000001, 'log:sluice.usage', '/test', 'far', '{"id": "far"}' from outbox`,
      );
      await inStates(['kafka-away', 'outbox-full'], 503);
      assertAnswered(await askMany(keys.free, 5), 503, atOnceMs);
      await outbox.query("delete from outbox where event_id = 'far'");
      await inStates(['kafka-away'], 200);

      t.deepEqual(await Promise.all(running.map(({ended}) => ended)), ['whole', 'whole']);
      await back(world);
      const after = await backAgain(world);
      assertAnswered(after, 200, foundMs);
      const all = [...before, ...first, ...later, ...refused, ...after];
      await assertLogged(world.logged, [...running, ...all.map(({stream}) => stream)]);
    },
  );
}
