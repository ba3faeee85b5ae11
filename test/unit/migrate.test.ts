import test from 'ava';
import {verifierOf} from '../../schemas/sql/roles.ts';
import {readMigration, SettingsError} from '../../schemas/sql/settings.ts';

const url = (user: string, more = `:secret-${user}`) =>
  `postgres://${user}${more}@db.example:5432/sluice`;
const all = {
  ADMIN_DATABASE_URL: 'postgres://postgres:root@db.example:5432/postgres',
  DATABASE_URL: url('sluice_owner'),
  TENANT_DATABASE_URL: url('sluice_tenant'),
  GATEWAY_DATABASE_URL: url('sluice_gateway'),
  SYSTEM_DATABASE_URL: url('sluice_system'),
};

test('without an administrator the owner is enough', t => {
  const {DATABASE_URL} = all;
  t.deepEqual(readMigration({DATABASE_URL}), {ownerUrl: DATABASE_URL});
  t.deepEqual(readMigration({DATABASE_URL, ADMIN_DATABASE_URL: ''}), {ownerUrl: DATABASE_URL});
});

test('with one the passwords are those of the URLs, as they are meant and not as a URL writes them', t => {
  t.deepEqual(readMigration({...all, SYSTEM_DATABASE_URL: url('sluice_system', ':a%2Fb')}), {
    ownerUrl: all.DATABASE_URL,
    adminUrl: all.ADMIN_DATABASE_URL,
    passwords: {
      sluice_owner: 'secret-sluice_owner',
      sluice_tenant: 'secret-sluice_tenant',
      sluice_gateway: 'secret-sluice_gateway',
      sluice_system: 'a/b',
    },
  });
});

const complains = test.macro((t, environment: Record<string, string>, expected: RegExp) => {
  const error = t.throws(() => readMigration(environment), {instanceOf: SettingsError});
  t.regex(error?.message ?? '', expected);
  t.notRegex(error?.message ?? '', /secret|root/);
});

test('nothing at all', complains, {}, /^DATABASE_URL: expected a URL .* but it is not set$/);
test('another database', complains, {DATABASE_URL: 'mysql://root:secret@x/y'}, /something else/);
test(
  'all that is missing is said at once',
  complains,
  {...all, TENANT_DATABASE_URL: '', SYSTEM_DATABASE_URL: ''},
  /TENANT_DATABASE_URL: .*; SYSTEM_DATABASE_URL: /,
);
test(
  'a URL of another role',
  complains,
  {...all, GATEWAY_DATABASE_URL: url('sluice_system')},
  /^GATEWAY_DATABASE_URL: expected the user sluice_gateway$/,
);
test(
  'a URL without a password, which would be set to nothing',
  complains,
  {...all, SYSTEM_DATABASE_URL: url('sluice_system', '')},
  /^SYSTEM_DATABASE_URL: expected a password/,
);
test(
  'an owner without a database',
  complains,
  {...all, DATABASE_URL: 'postgres://sluice_owner:secret@db.example'},
  /^DATABASE_URL: expected the name of a database$/,
);

test('what is kept of a password is what RFC 7677 says', t => {
  // Its example: the password "pencil", and a proof that fits the keys below.
  t.is(
    verifierOf('pencil', Buffer.from('W22ZaJ0SNY7soEsUEjb6gQ==', 'base64')),
    'SCRAM-SHA-256$4096:W22ZaJ0SNY7soEsUEjb6gQ==$WG5d8oPm3OtcPnkdi4Uo7BkeZkBFzpcXkuLmtbsT4qY=:wfPLwcE6nTWhTAmQ7tl2KeoiWGPlZqQxSrmfPwDl2dU=',
  );
});
