/**
Sink: the function that a run's events are for, as a process of its own. Wiring, and the ways in which it dies or is wrong.

In: events at `POST /`, alone or in batches; DATABASE_URL, PORT, SINK_TOKEN, SINK_BREAK. Out: effects. A deadly event's first
delivery ends it with SIGKILL when its effect is committed and its answer is not sent.
`no-once`: it does not look whether it has seen an event. `ack-first`: it answers before its effect is committed.
*/
import {databaseUrl, oneOf, port, readConfig, secret} from '../../../events/config.ts';
import {createPool} from '../../../events/database.ts';
import type {Event} from '../../../events/event.ts';
import {runMain} from '../../../events/listen.ts';
import {serve} from '../../../events/serve.ts';
import {createLogger} from '../../../events/telemetry.ts';
import {countDeliveries, effectsIn, isFirstDelivery} from './effects.ts';
import type {Task} from './events.ts';

/** Wrong by `ack-first`: long enough for an answer to leave, and for an end to come before the commit. */
const commitLateMs = 500;
const dieLateMs = 100;

const die = () => void process.kill(process.pid, 'SIGKILL');

await runMain(async () => {
  const settings = readConfig(process.env, {
    DATABASE_URL: databaseUrl,
    PORT: port,
    SINK_TOKEN: secret(),
    SINK_BREAK: oneOf(['nothing', 'no-once', 'ack-first'], 'nothing'),
  });
  const logger = createLogger({name: 'sink', level: 'error'});
  const onError = (error: Error) => logger.error({err: error}, 'a fault');
  const pool = createPool({
    databaseUrl: settings.DATABASE_URL,
    name: 'sink',
    connectionsMax: 8,
    onError,
  });
  const effects = effectsIn(pool, {once: settings.SINK_BREAK !== 'no-once'});

  const isDeadly = async (events: readonly Event[]) => {
    for (const event of events) {
      if ((event.data as Task).deadly && (await isFirstDelivery(pool, event))) {
        return true;
      }
    }
    return false;
  };

  const handle = async (events: readonly Event[], commit: () => Promise<void>) => {
    await countDeliveries(pool, events);
    const deadly = await isDeadly(events);
    if (settings.SINK_BREAK === 'ack-first') {
      setTimeout(() => commit().catch(onError), commitLateMs);
      if (deadly) {
        setTimeout(die, dieLateMs);
      }
      return;
    }
    await commit();
    if (deadly) {
      die();
    }
  };

  await serve({
    name: 'sink',
    port: settings.PORT,
    sourceToken: settings.SINK_TOKEN,
    logger,
    async onEvent(event) {
      await handle([event], () => effects.one(event));
      return undefined;
    },
    onBatch: events => handle(events, () => effects.many(events)),
    onClose: () => pool.end(),
  });
});
