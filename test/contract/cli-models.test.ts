/** What the commands print: the whole of it, but for ids, times and widths. */
import test from 'ava';
import {replay} from '../helpers/cli.ts';
import {ill, well} from '../helpers/registry.ts';
import {startRegistryServer} from '../helpers/registry-server.ts';

test('models are registered, listed, changed, probed and removed', async t => {
  const {cliWith} = await startRegistryServer(t, {'http://a:8000': well, 'http://b:8000': ill});
  const {run} = cliWith();
  const session = `
$ model list
! nothing

$ model list --json
{"data":[]}

$ model list --csv
name,environment,status,context,USD/million,healthy,id

$ model register llama --environment dev --endpoint http://a:8000 --price 0.50,1.50 --context-length 8192
name  llama
environment  development
status  ready
context  8192
USD/million  0.50 in, 1.50 out
healthy  1/1
id  ID1
default max tokens  4096
price version  1
reason  -
start seconds  -
fallbacks  -
max output tokens  -
endpoints  http://a:8000 healthy

$ model register llama --environment production --endpoint http://b:8000 --price free --start-seconds 300 --quiet
ID2

$ model register odd --environment dev --endpoint nowhere --price free
! sluice: endpoints[0]: expected an http or https URL without user, query and fragment
exit 2

$ model register odd --environment dev --endpoint http://a:8000 --price cheap
! sluice: --price: expected free or IN,OUT[,CACHED], got "cheap"
exit 2

$ model list
NAME  ENVIRONMENT  STATUS  CONTEXT  USD/MILLION  HEALTHY  ID
llama  development  ready  8192  0.50 in, 1.50 out  1/1  ID1
llama  production  registered  -  free  0/1  ID2

$ model list --status ready --csv
name,environment,status,context,USD/million,healthy,id
llama,development,ready,8192,"0.50 in, 1.50 out",1/1,ID1

$ model show llama
! sluice: "llama" is in several environments: give --environment development, production
exit 2

$ model show llama --environment production
name  llama
environment  production
status  registered
context  -
USD/million  free
healthy  0/1
id  ID2
default max tokens  4096
price version  1
reason  no endpoint is healthy (http://b:8000: connection refused)
start seconds  300
fallbacks  -
max output tokens  -
endpoints  http://b:8000 unhealthy (connection refused)

$ model show gpt
! sluice: there is no model "gpt"
exit 5

$ model show llama --environment development --json
{"id":"ID1","name":"llama","environment":"development","status":"ready","contextLength":8192,"defaultMaxTokens":4096,"price":{"inputPerMillion":"0.50","outputPerMillion":"1.50"},"priceVersion":1,"endpoints":[{"id":"ID3","url":"http://a:8000","upstreamModel":"llama","usage":"every-chunk","tokenize":true,"health":"healthy","healthAt":"TIME","healthReason":null,"maxConcurrency":null,"object":null}],"namespace":null,"metadata":{},"startSeconds":null,"fallbacks":[],"maxOutputTokens":null}

$ model update llama --environment development --fallback small --max-output-tokens 1024
name  llama
environment  development
status  ready
context  8192
USD/million  0.50 in, 1.50 out
healthy  1/1
id  ID1
default max tokens  4096
price version  1
reason  -
start seconds  -
fallbacks  small (not registered)
max output tokens  1024
endpoints  http://a:8000 healthy

$ model update llama --environment development
! sluice: give --start-seconds, --fallback, --no-fallback, --max-output-tokens or --max-concurrency
exit 2

$ model disable llama --environment development --quiet
ID1

$ model enable llama --environment production
! sluice: the model cannot be routed to: no endpoint is healthy (http://b:8000: connection refused)
exit 1

$ model probe llama --environment production --quiet
ID2

$ model disable llama --environment production --dry-run
would send POST /admin/v1/models/ID2/disable
! nothing was changed

$ limit set --model llama --environment development --requests 60
id  ID1
name  llama
requests a minute  60
tokens a minute  none
requests at once  none
output tokens  1024

$ model remove llama --environment production
! sluice: this would take the model llama away from every gateway and forget it: give --yes if it is meant
exit 2

$ model remove llama --environment production --yes
! removed ID2

$ model remove llama --environment development --yes --json
{"removed":"ID1"}

$ model list
! nothing
`;
  const {expected, actual} = await replay(run, session);
  t.is(actual, expected);
});
