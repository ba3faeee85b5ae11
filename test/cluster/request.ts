/**
Request: one to a Service of Knative by the way that its callers in the cluster take, written in parts.

In: the name of the Service, headers, the length of the body. Out: `write` and `end` for the parts, and the answer. Wants the addresses of the
cluster's services to be reachable from here.
*/
import {once} from 'node:events';
import {type IncomingMessage, request} from 'node:http';
import type {ExecutionContext} from 'ava';
import type {Chain} from './chain.ts';

export const openRequest = async (
  t: ExecutionContext,
  {
    kubectl,
    service,
    headers,
    length,
  }: {
    kubectl: Chain['kubectl'];
    service: string;
    headers: Record<string, string>;
    length: number;
  },
) => {
  // Knative gives a Service the name of the gateway within the cluster, whichever gateway that is.
  const gateway = await kubectl('get', 'service', service, '-o', 'jsonpath={.spec.externalName}');
  const [name = '', namespace = ''] = gateway.split('.');
  const host = await kubectl(
    ...['-n', namespace, 'get', 'service', name, '-o', 'jsonpath={.spec.clusterIP}'],
  );
  const url = await kubectl('get', 'ksvc', service, '-o', 'jsonpath={.status.address.url}');
  const sending = request({
    host,
    method: 'POST',
    path: '/',
    headers: {...headers, host: new URL(url).host, 'content-length': String(length)},
  });
  t.teardown(() => sending.destroy());
  const answered = once(sending, 'response') as Promise<[IncomingMessage]>;
  return {
    write: (part: string) => sending.write(part),
    end: (part: string) => sending.end(part),
    answer: answered.then(async ([response]) => {
      const chunks: Buffer[] = [];
      for await (const chunk of response) {
        chunks.push(chunk);
      }
      return {status: response.statusCode, body: Buffer.concat(chunks).toString()};
    }),
  };
};
