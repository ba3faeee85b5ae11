import test from 'ava';
import {lagOf} from '../../events/brokers/redis/groups.ts';
import {openWorld, publications} from '../helpers/redis-world.ts';

test('what waits is counted where Redis has lost count: after a rewrite of its file and a kill -9', async t => {
  t.timeout(180_000);
  const {server, open, client} = await openWorld(t);
  const broker = await open();
  const read = (count: number) =>
    client.call(
      'XREADGROUP',
      'GROUP',
      'sluice:a',
      'two',
      'COUNT',
      count,
      'STREAMS',
      'sluice:a',
      '>',
    );
  await broker.publish(publications(0, 1, 2, 3, 4, 5, 6, 7, 8, 9));
  await read(2);
  await client.call('BGREWRITEAOF');
  for (let info = ''; !/aof_rewrite_in_progress:0/.test(info); ) {
    info = await client.info('persistence');
  }
  await read(6);
  await server.kill();
  await server.start();

  // Eight in hand, two that nobody has read.
  t.is((await broker.pending()).get('a'), 10);
});

test('where more waits than is counted, the length of the stream bounds what Redis says', async t => {
  const {open, client} = await openWorld(t);
  const broker = await open();
  await broker.publish(publications(0, 1, 2, 3, 4, 5, 6));
  const lag = (said: number | undefined) =>
    lagOf(
      client,
      'sluice:a',
      {name: 'sluice:a', pending: 0, lag: said, lastDelivered: '0-0'},
      {pageMax: 2, countMax: 4},
    );
  t.is(await lag(5), 5);
  t.is(await lag(1), 4);
  t.is(await lag(100), 7);
  t.is(await lag(undefined), 7);
});
