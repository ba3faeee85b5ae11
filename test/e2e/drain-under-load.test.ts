/**
SIGTERM while everything runs: streams, whole answers, clients that ask one request after the other on a connection that they keep,
and new connections that arrive all the time.
*/
import assert from 'node:assert/strict';
import {connect} from 'node:net';
import test, {type ExecutionContext} from 'ava';
import {eventually} from '../helpers/eventually.ts';
import {keepAsking, openClient, type Reply} from '../helpers/kept-alive.ts';
import {startModelProcess} from '../helpers/model-process.ts';
import {assertSettled, modelName, openProcessWorld} from '../helpers/process-world.ts';
import {bodyOf} from '../helpers/raw-client.ts';
import {openSocket} from '../helpers/raw-socket.ts';

const streams = 200;
const wholes = 50;
const loops = 20;
const arrivals = 10;
const tokenDelayMs = 40;
const streamTokens = 400;
const patienceMs = 60_000;

const countBy = (replies: readonly Reply[]) =>
  Object.fromEntries(
    Object.entries(Object.groupBy(replies, ({how, status}) => `${how} ${status}`)).map(
      ([how, some = []]) => [how, some.length],
    ),
  );

const isRefused = (port: number) =>
  new Promise<boolean>(resolve => {
    const socket = connect(port, '127.0.0.1', () => {
      socket.destroy();
      resolve(false);
    });
    socket.on('error', () => resolve(true));
  });

/** A connection that is kept, and half of a request's head on it: the process has neither the request nor an idle connection. */
const openHalf = async (t: ExecutionContext, {url, apiKey}: {url: string; apiKey: string}) => {
  const {socket, answer, closed} = openSocket(t, url);
  const head = `host: x\r\nauthorization: Bearer ${apiKey}\r\n`;
  socket.write(`GET /v1/models HTTP/1.1\r\n${head}\r\n`);
  await eventually(() => assert.match(answer(), /^HTTP\/1\.1 200 [\s\S]*"object":"list"/));
  const body = bodyOf(modelName, {max_tokens: 2});
  const text = `POST /v1/chat/completions HTTP/1.1\r\n${head}content-length: ${body.length}\r\n\r\n${body}`;
  socket.write(text.slice(0, 40));
  // Whoever has answered these has read that.
  await (await fetch(`${url}/healthz`)).text();
  await (await fetch(`${url}/healthz`)).text();
  return async () => {
    socket.write(text.slice(40));
    return (await closed()).split(/(?=HTTP\/1\.1 )/).at(-1) ?? '';
  };
};

test('SIGTERM under load: what runs ends whole, what comes is served or not begun, nothing is broken off or lost', async t => {
  t.timeout(180_000);
  const model = await startModelProcess(t, {
    tokenDelayMs,
    firstTokenDelayMs: 20,
    defaultTokens: streamTokens,
  });
  const world = await openProcessWorld(t, {endpoints: [model.url]});
  const {gateway, apiKey} = world;
  const newClient = () => openClient({url: gateway.url, apiKey, model: modelName});
  const once = async (stream: boolean) => {
    const client = newClient();
    const reply = await client.ask({stream, max_tokens: streamTokens});
    client.close();
    return reply;
  };
  let isOver = false;
  const running = [
    ...Array.from({length: streams}, () => once(true)),
    ...Array.from({length: wholes}, () => once(false)),
  ];
  await eventually(async () => assert.equal((await model.counters()).running, streams + wholes), {
    timeoutMs: 60_000,
  });
  const looping = Array.from({length: loops}, (_, index) =>
    keepAsking(newClient(), {stream: index % 2 === 0, max_tokens: 2}, () => isOver),
  );
  // A new connection for each request, for as long as there is somebody to connect to.
  const arriving = Array.from({length: arrivals}, async () => {
    const replies: Reply[] = [];
    while (!isOver && replies.at(-1)?.how !== 'none') {
      const client = newClient();
      replies.push(await client.ask({max_tokens: 1}));
      client.close();
    }
    return replies;
  });
  await eventually(async () =>
    assert.ok((await model.counters()).requests > streams + wholes + 60),
  );

  const sendRest = await openHalf(t, {url: gateway.url, apiKey});

  const signalled = performance.now();
  gateway.child.kill('SIGTERM');
  await eventually(async () => assert.ok(await isRefused(gateway.port)));
  const late = await sendRest();
  t.regex(late, /^HTTP\/1\.1 200 /);
  t.regex(late, /\r\nconnection: close\r\n/i, 'who keeps its connection is told to let it go');
  const tooLong = setTimeout(() => {
    isOver = true;
  }, patienceMs);
  const looped = (await Promise.all(looping)).flat();
  t.false(isOver, 'who keeps its connection is let go while streams run');
  t.true((await model.counters()).running >= streams);
  model.set({tokenDelayMs: 10});
  t.is(await gateway.ended, 0);
  const tookMs = Math.round(performance.now() - signalled);
  clearTimeout(tooLong);
  isOver = true;
  const ended = await Promise.all(running);
  const arrived = (await Promise.all(arriving)).flat();
  t.deepEqual(countBy(ended), {'whole 200': streams + wholes});
  const all = [...ended, ...looped, ...arrived];
  t.deepEqual(
    all.filter(({how}) => how === 'broken'),
    [],
  );
  const closing = looped.filter(({headers}) => headers.connection === 'close');
  t.log({
    tookMs,
    ended: countBy(ended),
    looped: countBy(looped),
    closing: closing.length,
    arrived: countBy(arrived),
  });
  // What was on its way to it at that moment was sent before.
  t.true(closing.every(({endedMs}) => endedMs > signalled));
  const answered = all.filter(({how}) => how === 'whole');
  t.deepEqual(new Set(answered.map(reply => reply.status)), new Set([200]));
  t.is(arrived.filter(({how}) => how === 'none').length, arrivals, 'it takes no new connections');
  assertSettled(await world.books(), [
    /\r\nx-request-id: (\S+)/i.exec(late)?.[1] ?? '',
    ...answered.map(({request}) => request),
  ]);
});
