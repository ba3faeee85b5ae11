import assert from 'node:assert/strict';
import {createServer, type Server} from 'node:http';
import type {AddressInfo} from 'node:net';
import test, {type ExecutionContext} from 'ava';
import {createRouter, type Place} from '../../functions/gateway/routing/router.ts';
import {eventually} from '../helpers/eventually.ts';
import {endpointOf, isPlace, isWaiting, modelOf} from '../helpers/routing.ts';

const listen = (server: Server) =>
  new Promise<number>(resolve =>
    server.listen(0, '127.0.0.1', () => resolve((server.address() as AddressInfo).port)),
  );
/** `isSilent`: it breaks the connection of who asks for a page that it has not. */
const serve = async (
  t: ExecutionContext,
  pages: Record<string, string>,
  {isSilent = false}: {isSilent?: boolean} = {},
) => {
  const server = createServer((request, response) => {
    const page = pages[request.url ?? ''];
    if (isSilent && page === undefined) {
      request.socket.destroy();
      return;
    }
    response.writeHead(page === undefined ? 404 : 200).end(page);
  });
  t.teardown(() => {
    server.closeAllConnections();
    server.close();
  });
  return listen(server);
};
const routerFor = (t: ExecutionContext) => {
  const router = createRouter();
  t.teardown(router.close);
  const acquire = (model: ReturnType<typeof modelOf>) =>
    router.acquire({model, organisation: 'one', tried: [], untilMs: performance.now() + 60_000});
  return {router, acquire};
};

test('requests go to the model server that says that it has less to do', async t => {
  const busy = await serve(t, {'/metrics': 'vllm:num_requests_waiting{model_name="m"} 50.0\n'});
  const idle = await serve(t, {'/metrics': 'vllm:num_requests_waiting{model_name="m"} 0.0\n'});
  const {acquire} = routerFor(t);
  const model = modelOf([
    endpointOf('busy', {url: `http://127.0.0.1:${busy}`}),
    endpointOf('idle', {url: `http://127.0.0.1:${idle}`}),
  ]);
  await eventually(() => {
    const given = Array.from({length: 10}, () => acquire(model) as Place);
    for (const place of given) {
      place.end('worked');
    }
    assert.ok(given.every(({endpoint}) => endpoint.id === 'idle'));
  });
  t.pass();
});

test('a model at zero has its requests when its server answers', async t => {
  // It keeps its port: one that is free could be another test's by then.
  const pages: Record<string, string> = {};
  const port = await serve(t, pages, {isSilent: true});
  const {router, acquire} = routerFor(t);
  const model = modelOf([endpointOf('a', {url: `http://127.0.0.1:${port}`, health: 'unhealthy'})], {
    startSeconds: 30,
  });
  const waiting = acquire(model);
  if (!isWaiting(waiting)) {
    return t.fail('it does not wait');
  }
  t.is(router.stateOf(model), 'loading');
  pages['/v1/models'] = '{"data": []}';
  const found = await waiting.placed;
  t.true(isPlace(found));
  t.is(router.stateOf(model), 'ready');
});
