/**
`migrate`, an argument of the image: brings the database to this release, and ends.

In: `DATABASE_URL` of the role sluice_owner; with `ADMIN_DATABASE_URL` the roles and the database are made first, with the names and
passwords in `DATABASE_URL`, `TENANT_DATABASE_URL`, `GATEWAY_DATABASE_URL` and `SYSTEM_DATABASE_URL`. Out: a line on stderr; exit 0
when the schema is this release's, 1 when it could not be brought there, 2 when the environment is not as expected.
*/
import {migrate} from './migrate.ts';
import {prepare} from './prepare.ts';
import {readMigration, SettingsError} from './settings.ts';

// As the first process of a container it would not be ended by a signal that it does not listen to. What runs is rolled back.
for (const signal of ['SIGTERM', 'SIGINT'] as const) {
  process.once(signal, () => process.exit(1));
}

const say = (line: string) => process.stderr.write(`migrate: ${line}\n`);

const reasonOf = (error: unknown): string => {
  const {message, errors} = error as Error & {errors?: readonly Error[]};
  // What could not connect to any of several addresses says so by its parts only.
  return message || (errors ?? []).map(each => each.message).join('; ') || String(error);
};

try {
  const settings = readMigration(process.env);
  const applied =
    'adminUrl' in settings
      ? await prepare(settings)
      : await migrate({databaseUrl: settings.ownerUrl});
  say(applied.length > 0 ? `applied ${applied.join(', ')}` : 'nothing to apply');
} catch (error) {
  say(reasonOf(error));
  process.exitCode = error instanceof SettingsError ? 2 : 1;
}
