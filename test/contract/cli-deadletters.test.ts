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
$ deadletter list --json
$ deadletter show @ID1
$ deadletter list --csv
$ deadletter show @none
$ deadletter list --state lost
$ deadletter redrive
$ deadletter redrive --type test.done --dry-run
$ deadletter redrive --type test.done
$ deadletter redrive @ID1 --quiet
$ deadletter list
$ deadletter drop --all --yes
$ deadletter drop @ID1
`;
  const {expected, actual} = await replay(run, session);
  t.is(actual, expected);
});
