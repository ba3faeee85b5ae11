import {createServer} from 'node:http';
import {type AddressInfo, connect} from 'node:net';
import test, {type ExecutionContext} from 'ava';
import fc from 'fast-check';
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

/** What goes over the wire, and in how many writes of the server's. */
const wire = async (
  t: ExecutionContext,
  answer: (response: FrontResponse) => void,
  request = 'GET / HTTP/1.1\r\nhost: a\r\n\r\n',
) => {
  const server = createServer({ServerResponse: FrontResponse}, (_request, response) =>
    answer(response),
  );
  await new Promise<void>(resolve => server.listen(0, '127.0.0.1', resolve));
  const socket = connect((server.address() as AddressInfo).port, '127.0.0.1');
  t.teardown(() => {
    socket.destroy();
    server.close();
  });
  let seen = '';
  const {promise, resolve} = Promise.withResolvers<void>();
  socket.setEncoding('latin1').on('data', (text: string) => {
    seen += text;
    if (/\r\n0\r\n\r\n$/.test(seen)) {
      resolve();
    }
  });
  socket.on('close', () => resolve());
  socket.write(request);
  await promise;
  const end = seen.indexOf('\r\n\r\n');
  return {head: seen.slice(0, end).toLowerCase(), body: seen.slice(end + 4)};
};

test('a body of no known length goes out in chunks, the last one with the end', async t => {
  const {head, body} = await wire(t, response => {
    response.writeHead(200, {'content-type': 'text/event-stream'});
    response.write(Buffer.from('one'));
    response.write('');
    response.write('zw\u00f6lf');
    response.write('\u00f6', 'latin1');
    response.write(Buffer.alloc(20_000, 'x'));
    response.end('last');
  });
  t.true(head.includes('\r\ntransfer-encoding: chunked'));
  t.is(
    body,
    `3\r\none\r\n6\r\nzw\u00c3\u00b6lf\r\n1\r\n\u00f6\r\n4e20\r\n${'x'.repeat(20_000)}\r\n4\r\nlast\r\n0\r\n\r\n`,
  );
});

test('whatever is written arrives, in one piece or many, short or long', async t => {
  const part = fc.uint8Array({maxLength: 60}).map(bytes => Buffer.from(bytes));
  const long = fc.nat({max: 40_000}).map(length => Buffer.alloc(length, 'y'));
  await fc.assert(
    fc.asyncProperty(fc.array(fc.oneof(part, long), {maxLength: 5}), part, async (parts, last) => {
      const found = await answered(t, response => {
        for (const bytes of parts) {
          response.write(bytes);
        }
        response.end(last);
      });
      const expected = Buffer.concat([...parts, last]);
      t.deepEqual(Buffer.from(await found.arrayBuffer()), expected);
    }),
    {numRuns: 30},
  );
});

test('a client of HTTP/1.0 gets no chunks, and who asks for the head no body', async t => {
  const answer = (response: FrontResponse) => {
    response.writeHead(200, {'content-type': 'a/b'});
    response.write('one');
    response.end('two');
  };
  t.is((await wire(t, answer, 'GET / HTTP/1.0\r\n\r\n')).body, 'onetwo');
  const {body} = await wire(t, answer, 'HEAD / HTTP/1.1\r\nhost: a\r\nconnection: close\r\n\r\n');
  t.is(body, '');
});

test('requests that were sent one behind the other are answered in chunks one behind the other', async t => {
  let count = 0;
  const {body} = await wire(
    t,
    response => {
      count += 1;
      response.writeHead(200);
      response.write(`part ${count}`);
      setImmediate(() => response.end());
    },
    'GET / HTTP/1.1\r\nhost: a\r\n\r\nGET / HTTP/1.1\r\nhost: a\r\nconnection: close\r\n\r\n',
  );
  t.regex(body, /^6\r\npart 1\r\n0\r\n\r\n(?:HTTP\/1\.1 200[\s\S]*6\r\npart 2\r\n0\r\n\r\n)?$/);
});

test('who writes more than a client takes is told to wait, and when to go on', async t => {
  let waited = false;
  const found = await answered(t, response => {
    response.writeHead(200);
    t.false(response.write(Buffer.alloc(8 * 1024 * 1024)));
    response.once('drain', () => {
      waited = true;
      response.end();
    });
  });
  t.is((await found.arrayBuffer()).byteLength, 8 * 1024 * 1024);
  t.true(waited);
});

test('an end after the end is none, and who asks is told of each end', async t => {
  const told: string[] = [];
  const {body} = await wire(t, response => {
    response.on('error', error => told.push(error.message));
    response.writeHead(200);
    response.write('one', () => told.push('written'));
    response.end(() => {
      told.push('ended');
      response.end();
    });
    response.end();
  });
  t.is(body, '3\r\none\r\n0\r\n\r\n');
  t.deepEqual(told.toSorted(), ['ended', 'written']);
});
