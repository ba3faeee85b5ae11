import {createServer} from 'node:http';
import type {AddressInfo} from 'node:net';
import test, {type ExecutionContext} from 'ava';
import {FrontResponse} from '../../functions/gateway/front/front-response.ts';

const answered = async (t: ExecutionContext, answer: (response: FrontResponse) => void) => {
  const server = createServer({ServerResponse: FrontResponse}, (_request, response) =>
    answer(response),
  );
  await new Promise<void>(resolve => server.listen(0, '127.0.0.1', resolve));
  t.teardown(() => void server.close());
  return fetch(`http://127.0.0.1:${(server.address() as AddressInfo).port}`);
};

test('what was said last of a header goes out, whatever case its name was said in', async t => {
  const {status, headers} = await answered(t, response => {
    response.setHeader('X-One', 'first');
    response.setHeader('x-one', 'second');
    response.setHeader('x-two', 2);
    response.setHeader('vary', ['origin', 'accept']);
    t.is(response.getHeader('x-one'), 'second');
    t.is(response.getHeader('x-three'), undefined);
    response.writeHead(402, {'x-two': 3, 'content-length': 0});
    response.end();
  });
  t.is(status, 402);
  t.is(headers.get('x-one'), 'second');
  t.is(headers.get('x-two'), '3');
  t.is(headers.get('vary'), 'origin, accept');
});

test('what was taken back does not go out, and what has its value for a name stays', async t => {
  const {headers} = await answered(t, response => {
    response.setHeader('x-one', 'x-two');
    response.setHeader('x-two', 'gone');
    response.removeHeader('x-two');
    response.removeHeader('x-three');
    response.end('text');
  });
  t.is(headers.get('x-one'), 'x-two');
  t.false(headers.has('x-two'));
});

test('a value that would end its line is refused when it would go out', async t => {
  await answered(t, response => {
    response.setHeader('x-one', 'a\r\nx-two: b');
    t.throws(() => response.writeHead(200), {code: 'ERR_INVALID_CHAR'});
    response.removeHeader('x-one');
    response.end();
  });
});
