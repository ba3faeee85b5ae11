/** What the command line says when a secret was in an answer that never came. */
import test, {type ExecutionContext} from 'ava';
import {uuidv7} from '../../events/uuid.ts';
import {createCli} from '../helpers/cli.ts';
import {createHttpTestServer} from '../helpers/http.ts';

const id = uuidv7();

/** A server whose first answer is lost on the way, and that has the same request's answer without its secret then. */
const start = async (t: ExecutionContext) => {
  let lost = 0;
  const {url} = await createHttpTestServer(t, (request, response) => {
    request.resume();
    if (lost === 0) {
      lost += 1;
      response.destroy();
      return;
    }
    const view = {id, publicId: 'a', name: 'ci', role: 'viewer', createdAt: '2026-11-21T10:00:00Z'};
    response.setHeader('content-type', 'application/json');
    response.end(JSON.stringify({...view, user: id, secretShown: false}));
  });
  return createCli({
    environment: {SLUICE_URL: url, SLUICE_ADMIN_KEY: 'a-key', HOME: '/nowhere'},
    wait: async () => {},
  });
};

for (const [line, hint] of [
  [['key', 'rotate', id], `rotate or revoke ${id}`],
  [['key', 'create', 'ci', '--project', id, '--json'], `rotate or revoke ${id}`],
  [['service-key', 'create', 'ci', '--org', id, '--role', 'viewer'], `rotate or revoke ${id}`],
  [['user', 'login-link', id], 'ask for another'],
] as const) {
  test(`${line.slice(0, 2).join(' ')} says that the secret is lost, and does not end well`, async t => {
    const {run} = await start(t);
    const {code, out, err} = await run(...line);
    t.is(code, 1);
    t.true(err.includes(hint), err);
    t.false(`${out}${err}`.includes('keep the key now'));
    t.false(out.includes('undefined'));
  });
}
