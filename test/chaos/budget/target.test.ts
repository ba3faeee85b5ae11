/** The overspend part against gateways that are not ours: one that charges after the answer, one that holds before it. */
import {createServer, type IncomingMessage, request as sendRequest} from 'node:http';
import type {AddressInfo} from 'node:net';
import test, {type ExecutionContext} from 'ava';
import {freePort} from '../../runner/server.ts';
import {runTarget, targetExitCode, targetTable} from './target.ts';
import {capNanos} from './terms.ts';

const outputPerMillion = 100_000_000_000;
const nanosPerToken = outputPerMillion / 1_000_000;
const limitNanos = capNanos(0.2);

const read = async (stream: IncomingMessage) => {
  let text = '';
  for await (const part of stream) {
    text += part;
  }
  return text;
};

/** `holds`: the most that a request can cost is taken before it is sent on, instead of what it did cost afterwards. */
const startGateway = async (t: ExecutionContext, modelPort: number, holds: boolean) => {
  let spent = 0;
  const server = createServer(async (request, response) => {
    const asked = JSON.parse(await read(request));
    const hold = asked.max_tokens * nanosPerToken;
    if (holds ? spent + hold > limitNanos : spent >= limitNanos) {
      response.writeHead(402).end('{}');
      return;
    }
    spent += holds ? hold : 0;
    const body = JSON.stringify({...asked, stream: false});
    const call = sendRequest(
      {
        port: modelPort,
        host: '127.0.0.1',
        method: 'POST',
        path: request.url ?? '/',
        headers: {'content-type': 'application/json'},
      },
      async answer => {
        const text = await read(answer);
        const tokens = JSON.parse(text).usage?.completion_tokens ?? 0;
        spent += holds ? (tokens - asked.max_tokens) * nanosPerToken : tokens * nanosPerToken;
        response
          .writeHead(answer.statusCode ?? 500, {'content-type': 'application/json'})
          .end(text);
      },
    );
    call.on('error', () => response.writeHead(502).end());
    call.end(body);
  });
  await new Promise<void>(resolve => server.listen(0, '127.0.0.1', resolve));
  t.teardown(() => {
    server.close();
    server.closeAllConnections();
  });
  return `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
};

const drive = async (t: ExecutionContext, holds: boolean) => {
  t.timeout(120_000);
  const modelPort = await freePort();
  const figures = await runTarget({
    target: await startGateway(t, modelPort, holds),
    ...{key: 'key', model: 'model', upstreamModel: 'model', modelPort},
    ...{limitNanos, inputPerMillion: 0, outputPerMillion, seed: 1, clients: 200, seconds: 8},
    say: () => {},
  });
  t.log(targetTable(figures));
  return figures;
};

test.serial('a gateway that charges after the answer is found to overspend', async t => {
  const figures = await drive(t, false);
  t.true(figures.worth > figures.limit);
  t.is(targetExitCode(figures), 1);
  t.regex(targetTable(figures), /OVERSPENT by \$\d/);
});

test.serial('a gateway that holds before it sends is not', async t => {
  const figures = await drive(t, true);
  t.true(figures.worth <= figures.limit);
  t.not(targetExitCode(figures), 1);
  t.true(figures.tokensGenerated > 0);
});
