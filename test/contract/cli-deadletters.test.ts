/** What the commands print: the whole of it, but for ids, times and widths. */
import test, {type ExecutionContext} from 'ava';
import {toBinary} from '../../events/codec.ts';
import {adminKey} from '../helpers/admin-server.ts';
import {createCli, replay} from '../helpers/cli.ts';
import {startDeadletter} from '../helpers/deadletter-server.ts';

/** With one letter, as a broker posts it. */
const startWithLetter = async (t: ExecutionContext) => {
  const {post, server} = await startDeadletter(t);
  const {headers, body} = toBinary({
    specversion: '1.0',
    id: '1',
    source: '/s',
    type: 'test.done',
    knativeerrordest: 'http://one/',
    knativeerrorcode: 500,
    knativeerrordata: Buffer.from('oh').toString('base64'),
    data: {order: 7},
  });
  await post({...headers, 'kn-namespace': 'sluice'}, body);
  return createCli({
    environment: {SLUICE_URL: server.url, SLUICE_ADMIN_KEY: adminKey, HOME: '/nowhere'},
  });
};

test('dead letters are listed, shown, redriven and dropped', async t => {
  const {run} = await startWithLetter(t);
  const session = `
$ deadletter list
ID  DEAD AT  STATE  SUBSCRIPTION  TYPE  ATTEMPTS  REASON
ID1  TIME  waiting  trigger/sluice/one  test.done  -  the answer was 500

$ deadletter list --json
{"data":[{"id":"ID1","state":"waiting","subscription":"trigger/sluice/one","destination":"http://one/","origin":"broker:default","proved":false,"type":"test.done","source":"/s","eventId":"1","reason":"the answer was 500","status":500,"deadAt":"TIME"}]}

$ deadletter show @ID1
id  ID1
dead at  TIME
state  waiting
subscription  trigger/sluice/one
type  test.done
attempts  -
reason  the answer was 500
org  -
destination  http://one/
origin  broker:default
proved  no
source  /s
event id  1
status  500
error data  oh
redriven at  -
dropped at  -
event  {"specversion":"1.0","id":"1","source":"/s","type":"test.done","datacontenttype":"application/json","data":{"order":7}}

$ deadletter list --csv
id,deadAt,state,subscription,type,attempts,reason
ID1,TIME,waiting,trigger/sluice/one,test.done,,the answer was 500

$ deadletter show @none
! sluice: there is no dead letter @none
exit 5

$ deadletter list --state lost
! sluice: state: expected one of waiting, redriven, dropped
exit 2

$ deadletter redrive
! sluice: give an id, a filter or --all
exit 2

$ deadletter redrive --type test.done --dry-run
dry run  true
count  1
refused  0

$ deadletter redrive --type test.done
! sluice: this would redrive 1: give --yes if they are meant
exit 2

$ deadletter redrive @ID1 --quiet
ID1

$ deadletter list
! nothing

$ deadletter drop --all --yes
dry run  false
count  0
refused  0

$ deadletter drop @ID1
! sluice: the dead letter ID1 was redriven at TIME
exit 1
`;
  const {expected, actual} = await replay(run, session);
  t.is(actual, expected);
});
