/**
`wait-for`, an argument of the image: ends once the stores answer. It is the init container of the migration's Job, whose log would
else begin with a failure that is none.

In: `ADMIN_DATABASE_URL` or `DATABASE_URL`, `REDIS_URL` where there is one, `WAIT_SECONDS` (120). Out: exit 0 when all of them answer; 1
after the deadline, with a line on stderr for each that does not.
*/
import {databaseUrl, integer, optional, readConfig} from '../config.ts';
import {runMain} from '../listen.ts';
import {redisUrl} from '../redis.ts';
import {postgresAt, redisStoreAt} from './stores.ts';
import {type Missing, waitFor} from './wait-for.ts';

const say = ({name, reason}: Missing) =>
  process.stderr.write(`wait-for: ${name} does not answer: ${reason}\n`);

await runMain(async () => {
  // As the first process of a container it would not be ended by a signal that it does not listen to.
  for (const signal of ['SIGTERM', 'SIGINT'] as const) {
    process.once(signal, () => process.exit(1));
  }
  // Where roles are still to be made, only the administrator is let in.
  const {ADMIN_DATABASE_URL: admin} = readConfig(process.env, {
    ADMIN_DATABASE_URL: optional(databaseUrl),
  });
  const settings = readConfig(process.env, {
    DATABASE_URL: admin ? () => admin : databaseUrl,
    REDIS_URL: optional(redisUrl),
    WAIT_SECONDS: integer({min: 1, max: 3_600, defaultValue: 120}),
  });
  const missing = await waitFor(
    [
      postgresAt(settings.DATABASE_URL),
      ...(settings.REDIS_URL ? [redisStoreAt(settings.REDIS_URL)] : []),
    ],
    {deadlineMs: settings.WAIT_SECONDS * 1_000, onMissing: say},
  );
  if (missing.length > 0) {
    const names = missing.map(({name}) => name).join(' and ');
    process.stderr.write(`wait-for: gave up after ${settings.WAIT_SECONDS} s: ${names}\n`);
    process.exit(1);
  }
  process.stderr.write('wait-for: all stores answer\n');
  process.exit(0);
});
