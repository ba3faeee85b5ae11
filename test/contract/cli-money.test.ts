/** What the commands print: the whole of it, but for ids, times and widths. */
import {fork} from 'node:child_process';
import {once} from 'node:events';
import test, {type ExecutionContext} from 'ava';
import {adminKey} from '../helpers/admin-server.ts';
import {createCli, replay, startAdminWithCli} from '../helpers/cli.ts';
import {insertTenantRows} from '../helpers/tenant-rows.ts';
import {makeBooks} from '../helpers/verify.ts';

/** The usage function as its own process, over the books of one request. */
const startUsage = async (t: ExecutionContext) => {
  const books = await makeBooks(t);
  const {intent, result} = books.makeRequest();
  await books.handle([intent, result]);
  const child = fork('functions/usage/main.ts', {
    silent: true,
    env: {
      PATH: process.env.PATH ?? '',
      PORT: '0',
      DATABASE_URL: books.url,
      ADMIN_KEY: adminKey,
      SOURCE_TOKEN: 'the source token of this test',
      LOG_LEVEL: 'error',
    },
  });
  t.teardown(() => child.kill('SIGKILL'));
  const [{listening}] = (await once(child, 'message')) as [{listening: number}];
  const environment = {
    SLUICE_URL: `http://127.0.0.1:${listening}`,
    SLUICE_ADMIN_KEY: adminKey,
    HOME: '/nowhere',
  };
  const from = new Date(Date.now() - 10 * 86_400_000).toISOString().slice(0, 10);
  return {...createCli({environment}), names: {org: String(intent.orgid), from}};
};

test('budgets and limits are made, listed, changed and topped up', async t => {
  const {run} = await startAdminWithCli(t);
  const session = `
$ budget list
! sluice: there is no organisation yet
exit 5

$ org create acme --quiet
ID1

$ budget list
! nothing

$ budget list --csv
id,of,unit,period,limit,spent,leased,remaining,available,paused

$ budget create --org acme --limit 5.00 --thresholds 50,80,100
id  ID2
of  organisation
unit  usd
period  month
time zone  UTC
thresholds  50%, 80%, 100%
limit  5.00
topped up  0.00
spent  0.00
overage  0.00
leased  0.00
remaining  5.00
available  5.00
paused  no
start  -
end  -

$ budget create --org acme --limit 5,00
! sluice: limit: expected: USD as decimal text, at most "9000000000.00"; or a whole number of tokens or GPU milliseconds, as digits or as a number up to 2^53 - 1
exit 2

$ budget create --limit 1
! sluice: give one of --org, --project and --key
exit 2

$ budget create --org acme --unit tokens --limit 90000 --period day --time-zone Europe/Berlin --json
{"id":"ID3","org":"ID1","unit":"tokens","period":"day","timeZone":"Europe/Berlin","thresholds":[50,80,100],"paused":false,"limit":"90000","toppedUp":"0","spent":"0","overage":"0","leased":"0","remaining":"90000","available":"90000","window":null,"createdAt":"TIME"}

$ budget list
ID  OF  UNIT  PERIOD  LIMIT  SPENT  LEASED  REMAINING  AVAILABLE  PAUSED
ID2  organisation  usd  month  5.00  0.00  0.00  5.00  5.00  no
ID3  organisation  tokens  day  90000  0  0  90000  90000  no

$ budget list --quiet
ID2
ID3

$ budget show @ID2 --csv
id,of,unit,period,timeZone,thresholds,limit,toppedUp,spent,overage,leased,remaining,available,paused,start,end
ID2,organisation,usd,month,UTC,"50%, 80%, 100%",5.00,0.00,0.00,0.00,0.00,5.00,5.00,no,,

$ budget show @none
! sluice: there is no budget @none
exit 5

$ budget set @ID2 --limit 7.50 --pause
id  ID2
of  organisation
unit  usd
period  month
time zone  UTC
thresholds  50%, 80%, 100%
limit  7.50
topped up  0.00
spent  0.00
overage  0.00
leased  0.00
remaining  7.50
available  0.00
paused  yes
start  -
end  -

$ budget set @ID2
! sluice: give --limit, --thresholds, --pause or --resume
exit 2

$ budget set @ID2 --limit 1 --dry-run
would send PATCH /admin/v1/budgets/ID2
  limit: "7.50" -> "1"
! nothing was changed

$ budget topups @ID2
! nothing

$ budget topup @ID2 --amount 2.50 --id invoice-7 --by finance
id  invoice-7
amount  2.50
by  finance
created at  TIME
window  ID4

$ budget topup @ID2 --amount 2.50 --id invoice-7 --json
{"id":"invoice-7","budget":"ID2","window":"ID4","amount":"2.50","by":"finance","createdAt":"TIME"}

$ budget topup @ID2 --amount 3 --id invoice-7
! sluice: id: there is a top-up invoice-7 already, of another amount or of another budget
exit 1

$ budget topups @ID2
ID  AMOUNT  BY  CREATED AT  WINDOW
invoice-7  2.50  finance  TIME  ID4

$ budget topups @ID2 --csv
id,amount,by,createdAt,window
invoice-7,2.50,finance,TIME,ID4

$ limit show --org acme
id  ID1
name  acme
requests a minute  none
tokens a minute  none
requests at once  none
output tokens  none

$ limit set --org acme --requests 60 --parallel 5
id  ID1
name  acme
requests a minute  60
tokens a minute  none
requests at once  5
output tokens  none

$ limit set --org acme
! sluice: give --requests, --tokens, --parallel or --max-output-tokens
exit 2

$ limit set --requests 1
! sluice: give one of --org, --project, --key and --model
exit 2

$ limit show --org acme --json
{"id":"ID1","name":"acme","requestsPerMinute":60,"parallelRequests":5,"createdAt":"TIME"}

$ limit show --org acme --csv
id,name,requests a minute,tokens a minute,requests at once,output tokens
ID1,acme,60,none,5,none
`;
  const {expected, actual} = await replay(run, session);
  t.is(actual, expected);
});

test('nothing charged is nothing to show', async t => {
  const {run} = await startAdminWithCli(t);
  const session = `
$ org create acme --quiet
ID1

$ ledger
! nothing

$ ledger --json
{"data":[]}

$ ledger --csv
at,request,entry,model,input,cached,output,cost,outcome,estimated

$ ledger --request @none
! sluice: nothing was charged for @none: it is not settled yet, or there was none
exit 5

$ ledger --limit 0
! sluice: limit: must be >= 1
exit 2

$ explain @none
! sluice: nothing is known of request @none: there was none, its events are not read yet, or it was refused without a known key, a day ago, or among too many
exit 5

$ explain nothing
! sluice: id: expected an id, a UUID in lower case
exit 2
`;
  const {expected, actual} = await replay(run, session);
  t.is(actual, expected);
});

test('what was charged is listed and explained', async t => {
  const {admin, run} = await startAdminWithCli(t);
  await insertTenantRows(admin.database.pool('superuser'), 'one');
  const session = `
$ ledger
AT  REQUEST  ENTRY  MODEL  INPUT  CACHED  OUTPUT  COST  OUTCOME  ESTIMATED
TIME  ID1  result  model of one  7  0  5  0.00004745  completed  no

$ ledger --csv
at,request,entry,model,input,cached,output,cost,outcome,estimated
TIME,ID1,result,model of one,7,0,5,0.00004745,completed,no

$ ledger --json
{"data":[{"request":"ID1","entry":"result","org":"ID2","project":"ID3","key":"ID4","model":"model of one","environment":"development","priceVersion":1,"at":"TIME","settledAt":"TIME","inputTokens":7,"cachedInputTokens":0,"outputTokens":5,"cost":"0.00004745","estimated":false,"outcome":"completed","charges":[{"hold":"0.0001","unit":"usd","lease":"ID5","amount":"0.00004745","budget":"ID6","window":"ID7","covered":"0.00004745","overage":"0.00"}]}]}

$ explain @ID1
request  ID1
state  settled
summary  it ended (completed) and was charged by result
org  ID2
project  ID3
key  ID4
environment  development
model  model of one
endpoint  http://127.0.0.1/
operation  chat
streamed  false
outcome  completed
started at  TIME
finished at  TIME
settled at  TIME
limits  -
input tokens  7
cached input tokens  0
output tokens  5
charged  0.00004745
estimated  false
price version  1
usage recorded  true

charges
ENTRY  BUDGET  WINDOW  LEASE  UNIT  HOLD  AMOUNT  COVERED  OVERAGE
result  ID6  ID7  ID5  usd  0.0001  0.00004745  0.00004745  0.00

$ explain @ID1 --csv
request,state,summary,org,project,key,environment,model,endpoint,operation,streamed,outcome,startedAt,finishedAt,settledAt,limits,inputTokens,cachedInputTokens,outputTokens,charged,estimated,priceVersion,usageRecorded
ID1,settled,it ended (completed) and was charged by result,ID2,ID3,ID4,development,model of one,http://127.0.0.1/,chat,false,completed,TIME,TIME,TIME,,7,0,5,0.00004745,false,1,true
`;
  const {expected, actual} = await replay(run, session);
  t.is(actual, expected);
});

test('usage is summed, exported and verified', async t => {
  const {run, names} = await startUsage(t);
  const session = `
$ usage --org @org --from @from
MODEL  REQUESTS  FAILED  INPUT TOKENS  CACHED INPUT TOKENS  OUTPUT TOKENS  COST
llama-3.1-8b  1  0  10  0  5  0.000005

$ usage --org @org --from @from --csv
model,requests,failed,inputTokens,cachedInputTokens,outputTokens,cost
llama-3.1-8b,1,0,10,0,5,0.000005

$ usage --org @org --from @from --json
{"from":"TIME","to":"TIME","granularity":"total","data":[{"model":"llama-3.1-8b","requests":1,"failed":0,"inputTokens":10,"cachedInputTokens":0,"outputTokens":5,"cost":"0.000005","estimated":0}]}

$ usage --org @org --from @from --group-by environment,model --granularity day
START  ENVIRONMENT  MODEL  REQUESTS  FAILED  INPUT TOKENS  CACHED INPUT TOKENS  OUTPUT TOKENS  COST
DAY  production  llama-3.1-8b  1  0  10  0  5  0.000005

$ usage --org @none
! nothing

$ usage --org @org --granularity year
! sluice: granularity: expected one of hour, day, month, total
exit 2

$ usage export --org @org --from @from --granularity day
start,org,project,key,model,environment,endpoint,requests,failed,inputTokens,cachedInputTokens,outputTokens,cost,estimated,latencyMs
DAY,ID1,ID2,ID3,llama-3.1-8b,production,http://llama.models.svc.cluster.local,1,0,10,0,5,0.000005,0,2345

$ usage verify
from  TIME
to  TIME
ledger requests  1
recorded requests  1
late requests  0
open requests  0
windows  1
engine spans  0

all agrees
`;
  const {expected, actual} = await replay(run, session, names);
  t.is(actual, expected);
});

test('budgets and limits are of projects and keys by their names', async t => {
  const {run} = await startAdminWithCli(t);
  const session = `
$ org create acme --quiet
ID1

$ project create web --quiet
ID2

$ key create site --project web --quiet
sk-PUBLIC1-SECRET

$ budget create --project web --limit 1 --quiet
ID3

$ budget create --key site --limit 2 --quiet
ID4

$ budget create --key nobody --limit 2
! sluice: there is no key "nobody"
exit 5

$ budget create --key sk-abcdefghijklmnop-secret --limit 2
! sluice: this is a secret: name the key by its id, public id or name
exit 2

$ budget list
ID  OF  UNIT  PERIOD  LIMIT  SPENT  LEASED  REMAINING  AVAILABLE  PAUSED
ID3  project ID2  usd  month  1.00  0.00  0.00  1.00  1.00  no
ID4  key ID5  usd  month  2.00  0.00  0.00  2.00  2.00  no

$ limit set --project web --requests 60 --quiet
ID2

$ limit show --key site
id  ID5
name  site
requests a minute  none
tokens a minute  none
requests at once  none
output tokens  none
`;
  const {expected, actual} = await replay(run, session);
  t.is(actual, expected);
});
