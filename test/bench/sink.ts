/**
Sink: where traces and measurements go, by OTLP over HTTP. It reads them, keeps nothing, and says how much came.

In: PORT. Out: 200 to whatever is posted; to a GET how many posts of traces there were, and their bytes.
*/
import {createServer} from 'node:http';
import type {AddressInfo} from 'node:net';

const traces = {requests: 0, bytes: 0};

const server = createServer({keepAliveTimeout: 120_000}, (request, response) => {
  if (request.method === 'GET') {
    response.setHeader('content-type', 'application/json').end(JSON.stringify(traces));
    return;
  }
  const isTraces = request.url === '/v1/traces';
  traces.requests += isTraces ? 1 : 0;
  request.on('data', (bytes: Buffer) => {
    traces.bytes += isTraces ? bytes.length : 0;
  });
  // An empty answer is a whole one: nothing was refused.
  request.on('end', () => response.setHeader('content-type', 'application/x-protobuf').end());
});

process.once('disconnect', () => process.exit(0));
server.listen(Number(process.env.PORT ?? 0), '127.0.0.1', () =>
  process.send?.({listening: (server.address() as AddressInfo).port}),
);
