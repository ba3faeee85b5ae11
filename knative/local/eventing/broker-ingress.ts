/**
Broker ingress: where functions and tests post events to a Broker, at the path that Knative's own ingress has.

In: POST /<namespace>/<broker>, an event in binary or structured mode. Out: 202 when it is stored; 400 for what is no event,
404 for a Broker that is not there, 405 for another method. What comes in here is a hint, never truth: anybody can post.
*/
import type {IncomingMessage, RequestListener, ServerResponse} from 'node:http';
import {type Publication, publicationOf} from '../../../events/brokers/broker.ts';
import {readHttp} from '../../../events/codec.ts';
import {asSluiceError, SluiceError, toProblem} from '../../../events/errors.ts';
import {limits} from '../../../events/limits.ts';
import type {BrokerPlan} from '../plan/plan.ts';
import {passBroker} from './hops.ts';

export const createBrokerIngress = ({
  brokers,
  broker,
  onError,
  bodyBytes = limits.bodyBytes,
}: {
  brokers: readonly BrokerPlan[];
  broker: {publish(publications: readonly Publication[]): Promise<void>};
  onError: (error: Error) => void;
  bodyBytes?: number;
}): RequestListener => {
  const accept = async (request: IncomingMessage, response: ServerResponse) => {
    const [namespace, name, ...rest] = pathOf(request).split('/').slice(1);
    const plan = brokers.find(other => other.namespace === namespace && other.name === name);
    if (rest.length > 0 || !plan) {
      throw new SluiceError('not_found', `there is no Broker at ${pathOf(request)}`);
    }
    if (request.method === 'OPTIONS') {
      response.writeHead(200, {Allow: 'POST, OPTIONS', 'WebHook-Allowed-Origin': '*'}).end();
      return;
    }
    if (request.method !== 'POST') {
      response.setHeader('Allow', 'POST, OPTIONS');
      throw new SluiceError('method_not_allowed', 'a Broker takes POST');
    }
    const {events, batch} = readHttp(request.headers, await readBody(request, bodyBytes));
    const [event] = events;
    if (batch || event === undefined) {
      throw new SluiceError('malformed_event', 'a Broker takes one event at a time');
    }
    const passed = passBroker(event);
    if (passed === undefined) {
      throw new SluiceError('bad_request', 'the event has passed as many brokers as it may');
    }
    await broker.publish([publicationOf(plan.topic, passed)]);
    response.writeHead(202).end();
  };

  return async function brokerIngress(request, response) {
    try {
      await accept(request, response);
    } catch (thrown) {
      const error = asSluiceError(thrown);
      if (error.status >= 500) {
        onError(error.cause instanceof Error ? error.cause : error);
      }
      // A body that was not read to its end would be taken for the next request.
      response.shouldKeepAlive &&= request.readableEnded;
      response.writeHead(error.status, {'content-type': 'application/problem+json'});
      response.end(JSON.stringify(toProblem(error, pathOf(request))));
    }
  };
};

const pathOf = (request: IncomingMessage) => (request.url ?? '/').split('?', 1)[0] as string;

const readBody = async (request: IncomingMessage, max: number): Promise<Buffer> => {
  const chunks: Buffer[] = [];
  let size = 0;
  // What is left unread is not destroyed with the connection: the refusal still has to go out on it.
  for await (const chunk of request.iterator({destroyOnReturn: false})) {
    chunks.push(chunk as Buffer);
    size += (chunk as Buffer).length;
    if (size > max) {
      throw new SluiceError('payload_too_large', `an event has at most ${max} bytes`);
    }
  }
  return Buffer.concat(chunks);
};
