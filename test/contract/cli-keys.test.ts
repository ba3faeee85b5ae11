/** What the commands print: the whole of it, but for ids, times and widths. */
import test from 'ava';
import {replay, startAdminWithCli} from '../helpers/cli.ts';

test('keys are made, listed, changed, rotated and revoked, and printed once', async t => {
  const {run} = await startAdminWithCli(t);
  const session = `
$ org create acme --quiet
ID1

$ project create web --quiet
ID2

$ key list
! nothing

$ key list --json
{"data":[]}

$ key create site --project web --requests 600 --models 'tiny, large' --scopes inference --expires-in 90d
id  ID3
key  sk-PUBLIC1-SECRET
public id  PUBLIC1
name  site
state  active
org  ID1
project  ID2
models  tiny, large
environments  all
scopes  inference
requests a minute  600
tokens a minute  none
requests at once  none
output tokens  none
expires at  TIME
created at  TIME
! keep the key now: only its hash is stored, and it cannot be shown again

$ key create ci --project web --json
{"id":"ID4","publicId":"PUBLIC2","org":"ID1","project":"ID2","name":"ci","createdAt":"TIME","key":"sk-PUBLIC2-SECRET"}

$ key create ci2 --project web --quiet
sk-PUBLIC3-SECRET

$ key create late --project web --expires-at 2020-01-01T00:00:00Z
! sluice: expiresAt: expected an instant to come
exit 2

$ key create both --project web --expires-at 2030-01-01T00:00:00Z --expires-in 3d
! sluice: give --expires-at or --expires-in, not both
exit 2

$ key create odd --project web --expires-in tomorrow
! sluice: --expires-in: expected a time such as 90d, 12h, 30m or 45s, got "tomorrow"
exit 2

$ key create odd --project nothing
! sluice: there is no project "nothing"
exit 5

$ key list
PUBLIC ID  NAME  PROJECT  STATE  MODELS  EXPIRES AT  LAST USED AT  ID
PUBLIC1  site  web  active  tiny, large  TIME  -  ID3
PUBLIC2  ci  web  active  all  -  -  ID4
PUBLIC3  ci2  web  active  all  -  -  ID5

$ key list --project web --csv
publicId,name,project,state,models,expiresAt,lastUsedAt,id
PUBLIC1,site,ID2,active,"tiny, large",TIME,,ID3
PUBLIC2,ci,ID2,active,all,,,ID4
PUBLIC3,ci2,ID2,active,all,,,ID5

$ key show site
id  ID3
public id  PUBLIC1
name  site
state  active
org  ID1
project  ID2
models  tiny, large
environments  all
scopes  inference
requests a minute  600
tokens a minute  none
requests at once  none
output tokens  none
expires at  TIME
created at  TIME

$ key show nobody
! sluice: there is no key "nobody"
exit 5

$ key show sk-abcdefghijklmnop-secret
! sluice: this is a secret: name the key by its id, public id or name
exit 2

$ key update site --models all --expires-at never --requests none --environments production
id  ID3
public id  PUBLIC1
name  site
state  active
org  ID1
project  ID2
models  all
environments  production
scopes  inference
requests a minute  none
tokens a minute  none
requests at once  none
output tokens  none
created at  TIME

$ key update site
! sluice: give what to change: --help lists it
exit 2

$ key update site --name shop --dry-run
would send PATCH /admin/v1/keys/ID3
  name: "site" -> "shop"
! nothing was changed

$ key rotate site --overlap 1h
id  ID3
key  sk-PUBLIC4-SECRET
public id  PUBLIC4
name  site
state  active
org  ID1
project  ID2
models  all
environments  production
scopes  inference
requests a minute  none
tokens a minute  none
requests at once  none
output tokens  none
rotated at  TIME
old secret until  TIME
created at  TIME
! keep the key now: only its hash is stored, and it cannot be shown again

$ key rotate site --overlap 0 --json
{"id":"ID3","publicId":"PUBLIC5","org":"ID1","project":"ID2","name":"site","environments":["production"],"scopes":["inference"],"rotatedAt":"TIME","createdAt":"TIME","key":"sk-PUBLIC5-SECRET"}

$ key rotate site --overlap 90d
! sluice: --overlap: expected at most 30d, got "90d"
exit 2

$ key rotate site --overlap soon
! sluice: --overlap: expected a time such as 90d, 12h, 30m or 45s, got "soon"
exit 2

$ key revoke site --now --dry-run
would send DELETE /admin/v1/keys/ID3?now=true
  it takes away {"id":"ID3","publicId":"PUBLIC5","org":"ID1","project":"ID2","name":"site","environments":["production"],"scopes":["inference"],"rotatedAt":"TIME","createdAt":"TIME"}
! nothing was changed

$ key revoke site --now
! revoked ID3

$ key rotate site
! sluice: the key is revoked; make another
exit 1

$ key revoke ci
! revoked ID4

$ key create ci --project web --quiet
sk-PUBLIC6-SECRET

$ key create ci --project web --quiet
sk-PUBLIC7-SECRET

$ key show ci
! sluice: several keys are called "ci": give one of the ids (ID6 in "acme", ID7 in "acme")
exit 2
`;
  const {expected, actual} = await replay(run, session);
  t.is(actual, expected);
});

test('service keys are made, listed, shown and revoked', async t => {
  const {run} = await startAdminWithCli(t);
  const session = `
$ org create acme --quiet
ID1

$ project create web --quiet
ID2

$ service-key list
! nothing

$ service-key create terraform --role admin
id  ID3
key  ssk-PUBLIC1-SECRET
public id  PUBLIC1
name  terraform
role  admin
state  active
org  ID1
created at  TIME
! keep the key now: only its hash is stored, and it cannot be shown again

$ service-key create reports --role viewer --project web --expires-in 30d --json
{"id":"ID4","publicId":"PUBLIC2","org":"ID1","project":"ID2","name":"reports","role":"viewer","expiresAt":"TIME","createdAt":"TIME","key":"ssk-PUBLIC2-SECRET"}

$ service-key create odd --role king
! error: option '--role <role>' argument 'king' is invalid. Allowed choices are viewer, member, admin, owner.
! (--help says more)
exit 2

$ service-key list
PUBLIC ID  NAME  ROLE  PROJECT  STATE  LAST USED AT  ID
PUBLIC1  terraform  admin  all  active  -  ID3
PUBLIC2  reports  viewer  web  active  -  ID4

$ service-key list --csv
publicId,name,role,project,state,lastUsedAt,id
PUBLIC1,terraform,admin,all,active,,ID3
PUBLIC2,reports,viewer,web,active,,ID4

$ service-key show terraform
id  ID3
public id  PUBLIC1
name  terraform
role  admin
state  active
org  ID1
created at  TIME

$ service-key show nobody
! sluice: there is no service key "nobody"
exit 5

$ service-key revoke terraform
! revoked ID3

$ service-key revoke terraform
! revoked ID3

$ service-key list --quiet
ID3
ID4
`;
  const {expected, actual} = await replay(run, session);
  t.is(actual, expected);
});
