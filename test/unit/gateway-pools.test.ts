import assert from 'node:assert/strict';
import {type AddressInfo, createServer} from 'node:net';
import test from 'ava';
import {limits} from '../../events/limits.ts';
import {createPools} from '../../functions/gateway/exchange/pools.ts';
import {eventually} from '../helpers/eventually.ts';
import {createHttpTestServer} from '../helpers/http.ts';

test('of endpoints that come and go the oldest is forgotten: its connection closes when what runs there has ended', async t => {
  const opened: (() => void)[] = [];
  let open = 0;
  const serve = () =>
    createHttpTestServer(t, (_request, response) => {
      response.writeHead(200);
      response.flushHeaders();
      opened.push(() => response.end('whole'));
    });
  const first = await serve();
  first.server.on('connection', socket => {
    open += 1;
    socket.on('close', () => {
      open -= 1;
    });
  });
  const pools = createPools({limits, basesMax: 2});
  t.teardown(pools.close);
  const {pool} = pools.baseOf(first.url);
  const {body} = await pool.request({path: '/', method: 'GET'});
  t.is(pools.baseOf(`${first.url}/other`).pool, pool);
  t.is(pools.baseOf('http://127.0.0.1:9').pool.closed, false);
  t.false(pool.closed, 'it is used by another base');
  pools.baseOf('http://127.0.0.1:10');
  t.true(pool.closed);
  t.is(open, 1, 'something runs there');
  opened[0]?.();
  t.is(await body.text(), 'whole');
  await eventually(() => assert.equal(open, 0));
  const anew = pools.baseOf(first.url);
  t.not(anew.pool, pool);
  t.is(pools.baseOf(first.url), anew);
});

test('a base is read once, with or without what clients write at its end', t => {
  const pools = createPools({limits});
  t.teardown(pools.close);
  const {prefix, origin} = pools.baseOf('http://a.invalid/models/v1/');
  t.is(prefix, '/models');
  t.is(origin, 'http://a.invalid');
  t.throws(() => pools.baseOf('no URL'));
});

test('an idle connection is closed by us before a server that is silent about it does, as uvicorn is', async t => {
  const closed = Promise.withResolvers<number>();
  const server = createServer(socket => {
    socket.on('data', () => socket.write('HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\nHi'));
    socket.on('close', () => closed.resolve(performance.now()));
    socket.on('error', () => {});
  });
  await new Promise<void>(resolve => server.listen(0, '127.0.0.1', resolve));
  t.teardown(() => void server.close());
  const {port} = server.address() as AddressInfo;
  const pools = createPools({limits});
  t.teardown(pools.close);
  const {pool} = pools.baseOf(`http://127.0.0.1:${port}`);
  const {body} = await pool.request({path: '/', method: 'GET'});
  t.is(await body.text(), 'Hi');
  const idle = performance.now();
  const afterMs = (await closed.promise) - idle;
  t.true(afterMs > 2_000 && afterMs < 20_000, `${afterMs}`);
});
