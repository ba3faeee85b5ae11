/**
Internal port: the address that functions and sources send to, which only this machine reaches.

`/<namespace>/<broker>` is a Broker's ingress; `/functions/<name>/…` is a function through its gate, as its cluster-local address
is. In: who answers, once there is anybody. Out: the URL of a sink.
*/
import {createServer, type RequestListener} from 'node:http';
import type {AddressInfo} from 'node:net';
import {SluiceError} from '../../events/errors.ts';
import {limits} from '../../events/limits.ts';
import type {Gate} from './activator/gate.ts';
import {forward} from './front-door/forward.ts';
import {refuse} from './front-door/refusals.ts';
import type {Parts} from './parts.ts';
import type {Sink} from './plan/plan.ts';

const functionsPath = '/functions/';

export type InternalPort = Readonly<{
  url: string;
  urlOf(sink: Sink): string;
  open(handlers: {
    brokers: RequestListener;
    gateOf: (functionName: string) => Gate | undefined;
  }): void;
}>;

export const openInternalPort = async (parts: Parts): Promise<InternalPort> => {
  let handle: RequestListener = (_request, response) => response.writeHead(503).end();
  const server = createServer((request, response) => handle(request, response));
  await new Promise<void>((resolve, reject) => {
    server.once('error', reject);
    server.listen(0, '127.0.0.1', resolve);
  });
  parts.add({
    name: 'the internal port',
    stop: () => {
      server.close();
      server.closeAllConnections();
    },
  });
  const url = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
  return {
    url,
    urlOf: sink => {
      if ('url' in sink) {
        return sink.url;
      }
      return 'broker' in sink
        ? `${url}/${sink.broker}`
        : `${url}${functionsPath}${sink.function}${sink.path}`;
    },
    open({brokers, gateOf}) {
      handle = (request, response) => {
        const path = request.url ?? '/';
        if (!path.startsWith(functionsPath)) {
          brokers(request, response);
          return;
        }
        const [name = '', ...rest] = path.slice(functionsPath.length).split('/');
        const refuseHere = (error: SluiceError) => refuse(response, path, error);
        const gate = gateOf(name);
        if (gate === undefined) {
          refuseHere(new SluiceError('not_found', `there is no function ${name.slice(0, 64)}`));
          return;
        }
        request.url = `/${rest.join('/')}`;
        void forward({request, response, gate, bodyBytes: limits.bodyBytes, refuse: refuseHere});
      };
    },
  };
};
