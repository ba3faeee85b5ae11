/** What the commands print: the whole of it, but for ids, times and widths. */
import test from 'ava';
import {createCli, replay, startAdminWithCli} from '../helpers/cli.ts';

test('users are made, listed, changed, disabled, given a link and deleted', async t => {
  const {run} = await startAdminWithCli(t);
  const session = `
$ user list
! nothing

$ user list --csv
email,name,state,operator,lastLoginAt,id

$ org create acme --quiet
ID1

$ project create web --quiet
ID2

$ user create --email Ada@example.com --org acme --role owner --login-link
id  ID3
email  ada@example.com
name  Ada
state  invited
operator  no
created at  TIME
member  ID4
role  owner
login link  URL/auth/link#TOKEN
link expires at  TIME

$ user create --email grace@example.com --name 'Grace Hopper' --operator --json
{"id":"ID5","email":"grace@example.com","name":"Grace Hopper","operator":true,"invited":true,"createdAt":"TIME"}

$ user create --email ada@example.com
! sluice: there is a user ada@example.com already
exit 1

$ user create --email linus@example.com --org acme
! sluice: give --role with --org: viewer, member, admin or owner
exit 2

$ user create --email linus@example.com --org nobody --role viewer
! sluice: there is no organisation "nobody"
exit 5

$ user create --email linus@example.com --role chief
! error: option '--role <role>' argument 'chief' is invalid. Allowed choices are viewer, member, admin, owner.
! (--help says more)
exit 2

$ user show linus@example.com
! sluice: there is no user "linus@example.com"
exit 5

$ user list
EMAIL  NAME  STATE  OPERATOR  LAST LOGIN AT  ID
ada@example.com  Ada  invited  no  -  ID3
grace@example.com  Grace Hopper  invited  yes  -  ID5

$ user show ada@example.com
id  ID3
email  ada@example.com
name  Ada
state  invited
operator  no
created at  TIME

$ user show grace@example.com --csv
id,email,name,state,operator,issuer,subject,lastLoginAt,disabledAt,createdAt,member,role,loginLink,linkExpiresAt
ID5,grace@example.com,Grace Hopper,invited,yes,,,,,TIME,,,,

$ user update grace@example.com --no-operator --name Grace
id  ID5
email  grace@example.com
name  Grace
state  invited
operator  no
created at  TIME

$ user update grace@example.com
! sluice: give --name, --operator or --no-operator
exit 2

$ user disable grace@example.com
id  ID5
email  grace@example.com
name  Grace
state  disabled
operator  no
disabled at  TIME
created at  TIME

$ user login-link grace@example.com
! sluice: user ID5 is disabled, so no link logs them in
exit 1

$ user enable grace@example.com --quiet
ID5

$ user login-link grace@example.com --json
{"loginLink":"URL/auth/link#TOKEN","linkExpiresAt":"TIME"}

$ user delete grace@example.com
! sluice: this would delete the user grace@example.com, which loses its roles: give --yes if it is meant
exit 2

$ user delete grace@example.com --yes
! deleted ID5

$ user delete grace@example.com --yes
! sluice: there is no user "grace@example.com"
exit 5
`;
  const {expected, actual} = await replay(run, session);
  t.is(actual, expected);
});

test('members and groups get, change and lose roles', async t => {
  const {run} = await startAdminWithCli(t);
  const session = `
$ org create acme --quiet
ID1

$ project create web --quiet
ID2

$ member list
! nothing

$ member list --json
{"data":[]}

$ member add ada@example.com --role owner --name Ada
id  ID3
email  ada@example.com
name  Ada
role  owner
org  ID1
state  invited
user  ID4
created at  TIME

$ member add linus@example.com --project web --role viewer --json
{"id":"ID5","org":"ID1","project":"ID2","user":"ID6","email":"linus@example.com","name":"linus@example.com","role":"viewer","invited":true,"createdAt":"TIME"}

$ member add ada@example.com --role viewer
! sluice: ada@example.com has a role here already; change that
exit 1

$ member add nobody@example.com --role chief
! error: option '--role <role>' argument 'chief' is invalid. Allowed choices are viewer, member, admin, owner.
! (--help says more)
exit 2

$ member list
EMAIL  ROLE  PROJECT  STATE  LAST LOGIN AT  ID
ada@example.com  owner  all  invited  -  ID3
linus@example.com  viewer  web  invited  -  ID5

$ member list --project web --csv
email,role,project,state,lastLoginAt,id
linus@example.com,viewer,web,invited,,ID5

$ member update linus@example.com --role member
! sluice: "linus@example.com" is no member of the organisation
exit 5

$ member update linus@example.com --project web --role member
id  ID5
email  linus@example.com
name  linus@example.com
role  member
org  ID1
project  ID2
state  invited
user  ID6
created at  TIME

$ member update ada@example.com --role viewer
id  ID3
email  ada@example.com
name  Ada
role  viewer
org  ID1
state  invited
user  ID4
created at  TIME

$ member remove linus@example.com --project web
! removed ID5

$ member remove ada@example.com
! removed ID3

$ member remove nobody@example.com
! sluice: "nobody@example.com" is no member of the organisation
exit 5

$ group-role list
! nothing

$ group-role list --csv
group,role,project,createdAt,id

$ group-role add platform-team --role admin
id  ID7
group  platform-team
role  admin
org  ID1
created at  TIME

$ group-role add readers --project web --role viewer --json
{"id":"ID8","org":"ID1","project":"ID2","group":"readers","role":"viewer","createdAt":"TIME"}

$ group-role add platform-team --role owner
! sluice: "platform-team" has a role here already; change that
exit 1

$ group-role list
GROUP  ROLE  PROJECT  CREATED AT  ID
platform-team  admin  all  TIME  ID7
readers  viewer  web  TIME  ID8

$ group-role update platform-team --role member
id  ID7
group  platform-team
role  member
org  ID1
created at  TIME

$ group-role update readers --role member
! sluice: the group "readers" has no role there
exit 5

$ group-role remove platform-team
! removed ID7

$ group-role remove platform-team
! sluice: the group "platform-team" has no role there
exit 5

$ group-role list --project web --quiet
ID8
`;
  const {expected, actual} = await replay(run, session);
  t.is(actual, expected);
});

test('who one is decides what one may: a service key is told so, with an exit code of its own', async t => {
  const {admin, run} = await startAdminWithCli(t);
  await run('org', 'create', 'acme');
  await run('org', 'create', 'other');
  const made = await run(
    'service-key',
    'create',
    'reports',
    '--org',
    'acme',
    '--role',
    'viewer',
    '--json',
  );
  const {key} = JSON.parse(made.out) as {key: string};
  const reports = createCli({
    environment: {SLUICE_URL: admin.url, SLUICE_ADMIN_KEY: key, HOME: '/nowhere'},
  });
  const session = `
$ whoami
name  reports
kind  service
operator  no
server  URL

ORGANISATION  PROJECT  ROLE
acme  all  viewer

$ org list
NAME  STATE  CREATED AT  ID
acme  active  TIME  ID1

$ org show other
! sluice: there is no organisation "other"
exit 5

$ project list
! nothing
`;
  const {expected, actual} = await replay(reports.run, session);
  t.is(actual, expected);
  for (const args of [
    ['user', 'list'],
    ['project', 'create', 'web'],
    ['org', 'suspend', 'acme'],
    ['member', 'add', 'ada@example.com', '--role', 'owner'],
    ['audit', 'list'],
    ['service-key', 'create', 'more', '--role', 'viewer'],
  ]) {
    const {code, out, err} = await reports.run(...args);
    t.is(code, 4, args.join(' '));
    t.is(out, '');
    t.regex(err, /^sluice: /);
    t.false(err.includes(key));
  }
  const wrong = createCli({
    environment: {
      SLUICE_URL: admin.url,
      SLUICE_ADMIN_KEY: 'no-key-of-this-server',
      HOME: '/nowhere',
    },
  });
  t.is((await wrong.run('whoami')).code, 4);
  t.false((await wrong.run('whoami', '--verbose')).err.includes('no-key-of-this-server'));
});
