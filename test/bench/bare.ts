/**
Bare: the proxy that the gateway is measured against: `node:http`, a keep-alive agent, `pipe`, and nothing else.

In: PORT, UPSTREAM. Out: every request, passed on as it is. What the gateway costs above this is what it does.
*/
import {Agent, createServer, request as send} from 'node:http';
import type {AddressInfo} from 'node:net';

const upstream = new URL(process.env.UPSTREAM ?? 'http://127.0.0.1:9000');
const agent = new Agent({keepAlive: true, maxFreeSockets: 1_024});

const server = createServer({keepAliveTimeout: 120_000}, (request, response) => {
  const {method, url: path, headers} = request;
  const call = send(
    {host: upstream.hostname, port: upstream.port, method, path, headers, agent},
    answer => {
      response.writeHead(answer.statusCode as number, answer.headers);
      answer.pipe(response);
    },
  );
  call.on('error', () => response.destroy());
  request.pipe(call);
});

process.once('disconnect', () => process.exit(0));
server.listen(Number(process.env.PORT ?? 0), '127.0.0.1', () =>
  process.send?.({listening: (server.address() as AddressInfo).port}),
);
