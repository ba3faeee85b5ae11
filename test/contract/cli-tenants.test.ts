/** What the commands print: the whole of it, but for ids, times and widths. */
import test from 'ava';
import {replay, startAdminWithCli} from '../helpers/cli.ts';

test('organisations are made, listed, changed, suspended, deleted and restored', async t => {
  const {run} = await startAdminWithCli(t);
  const session = `
$ org list
! nothing

$ org list --json
{"data":[]}

$ org list --csv
name,state,createdAt,id

$ org create acme --requests 600 --parallel none
id  ID1
name  acme
state  active
requests a minute  600
tokens a minute  none
requests at once  none
created at  TIME

$ org create 'Other & Sons' --json
{"id":"ID2","name":"Other & Sons","createdAt":"TIME"}

$ org create acme
! sluice: there is an organisation "acme" already
exit 1

$ org list
NAME  STATE  CREATED AT  ID
acme  active  TIME  ID1
Other & Sons  active  TIME  ID2

$ org list --quiet
ID1
ID2

$ org show acme --csv
id,name,state,suspendedReason,requestsPerMinute,tokensPerMinute,parallelRequests,createdAt,suspendedAt,deletedAt,purgeAfter
ID1,acme,active,,600,none,none,TIME,,,

$ org update acme --tokens 90000 --requests none
id  ID1
name  acme
state  active
requests a minute  none
tokens a minute  90000
requests at once  none
created at  TIME

$ org update acme
! sluice: give --name, --requests, --tokens or --parallel
exit 2

$ org update acme --requests many
! sluice: --requests: expected a whole number or none, got "many"
exit 2

$ org update acme --name acme-gmbh --json
{"id":"ID1","name":"acme-gmbh","tokensPerMinute":90000,"createdAt":"TIME"}

$ org suspend acme-gmbh --now --reason 'invoice 7 is open'
id  ID1
name  acme-gmbh
state  suspended
reason  invoice 7 is open
requests a minute  none
tokens a minute  90000
requests at once  none
created at  TIME
suspended at  TIME

$ org resume acme-gmbh --quiet
ID1

$ org delete acme-gmbh
! sluice: this would delete the organisation acme-gmbh and purge its data after 30 days: give --yes if it is meant
exit 2

$ org delete acme-gmbh --retention-days 7 --dry-run
would send DELETE /admin/v1/orgs/ID1?retentionDays=7
  it takes away {"id":"ID1","name":"acme-gmbh","tokensPerMinute":90000,"createdAt":"TIME"}
! nothing was changed

$ org delete acme-gmbh --retention-days soon --yes
! sluice: --retention-days: expected a whole number, got "soon"
exit 2

$ org delete acme-gmbh --retention-days 7 --yes
id  ID1
name  acme-gmbh
state  deleted
requests a minute  none
tokens a minute  90000
requests at once  none
created at  TIME
deleted at  TIME
purge after  TIME

$ org restore acme-gmbh
id  ID1
name  acme-gmbh
state  active
requests a minute  none
tokens a minute  90000
requests at once  none
created at  TIME

$ org show nobody
! sluice: there is no organisation "nobody"
exit 5

$ org show acme-gmbh --json --csv
! sluice: give --json or --csv, not both
exit 2
`;
  const {expected, actual} = await replay(run, session);
  t.is(actual, expected);
});

test('projects are made, listed, changed and deleted, by their names', async t => {
  const {run} = await startAdminWithCli(t);
  const session = `
$ project list
! sluice: there is no organisation yet
exit 5

$ org create acme --quiet
ID1

$ project list
! nothing

$ project list --json
{"data":[]}

$ project create web --unsettled hold --max-output-tokens 1024
id  ID2
name  web
state  active
org  ID1
requests a minute  none
tokens a minute  none
requests at once  none
output tokens  1024
unsettled  hold
keeps results  no
created at  TIME

$ project create batch --org acme --keep-results --json
{"id":"ID3","org":"ID1","name":"batch","unsettledPolicy":"prompt","keepResults":true,"createdAt":"TIME"}

$ project create web
! sluice: the organisation has a project "web" already
exit 1

$ project list --csv
name,createdAt,id
web,TIME,ID2
batch,TIME,ID3

$ org create other --quiet
ID4

$ project list
! sluice: there are several organisations: give --org, such as "acme", "other"
exit 2

$ project create web --org other --quiet
ID5

$ project show web
! sluice: several projects are called "web": give --org or one of the ids (ID2 in "acme", ID5 in "other")
exit 2

$ project show web --org acme
id  ID2
name  web
state  active
org  ID1
requests a minute  none
tokens a minute  none
requests at once  none
output tokens  1024
unsettled  hold
keeps results  no
created at  TIME

$ project show nothing
! sluice: there is no project "nothing"
exit 5

$ project show nothing --org acme
! sluice: there is no project "nothing" in the organisation "acme"
exit 5

$ project update web --org acme --requests 60 --max-output-tokens none --unsettled waive
id  ID2
name  web
state  active
org  ID1
requests a minute  60
tokens a minute  none
requests at once  none
output tokens  none
unsettled  waive
keeps results  no
created at  TIME

$ project update web --org acme
! sluice: give --name, a limit, --unsettled or --keep-results
exit 2

$ project update batch --name queue --no-keep-results --quiet
ID3

$ project update queue --requests 1 --dry-run
would send PATCH /admin/v1/projects/ID3
  requestsPerMinute: null -> 1
! nothing was changed

$ project delete web --org acme
! sluice: this would delete the project web and revoke its keys: give --yes if it is meant
exit 2

$ project delete web --org acme --now --yes
! deleted ID2

$ project list --org acme
NAME  CREATED AT  ID
queue  TIME  ID3
`;
  const {expected, actual} = await replay(run, session);
  t.is(actual, expected);
});

test('the audit is listed and shown', async t => {
  const {run} = await startAdminWithCli(t);
  const session = `
$ audit list
! nothing

$ audit list --csv
at,by,operation,subjectKind,subject,org,before,after,id

$ org create acme --quiet
ID1

$ org create other --quiet
ID2

$ org update acme --requests 60
id  ID1
name  acme
state  active
requests a minute  60
tokens a minute  none
requests at once  none
created at  TIME

$ project create web --org acme --quiet
ID3

$ audit list
AT  BY  OPERATION  KIND  WHAT  CHANGE  ID
TIME  admin key  createProject  project  web  new  ID4
TIME  admin key  changeOrg  org  acme  requestsPerMinute: none -> 60  ID5
TIME  admin key  createOrg  org  other  new  ID6
TIME  admin key  createOrg  org  acme  new  ID7

$ audit list --org acme --operation changeOrg
AT  BY  OPERATION  KIND  WHAT  CHANGE  ID
TIME  admin key  changeOrg  org  acme  requestsPerMinute: none -> 60  ID5

$ audit list --limit 1
AT  BY  OPERATION  KIND  WHAT  CHANGE  ID
TIME  admin key  createProject  project  web  new  ID4
! there is more: give filters or a higher --limit

$ audit list --limit none
! sluice: --limit: expected a whole number, got "none"
exit 2

$ audit list --actor nobody
! nothing

$ audit list --operation createProject --csv
at,by,operation,subjectKind,subject,org,before,after,id
TIME,admin key,createProject,project,ID3,ID1,,"{""id"":""ID3"",""org"":""ID1"",""name"":""web"",""createdAt"":""TIME"",""deletedAt"":null,""keepResults"":false,""maxOutputTokens"":null,""tokensPerMinute"":null,""unsettledPolicy"":""prompt"",""parallelRequests"":null,""requestsPerMinute"":null}",ID4

$ audit show @none
! sluice: there is no entry of the audit @none
exit 5

$ audit show x
! sluice: id: expected an id, a UUID in lower case
exit 2
`;
  const {expected, actual} = await replay(run, session);
  t.is(actual, expected);
});
