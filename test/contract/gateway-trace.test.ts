/** A client's trace goes on: to the model server, into both events, the log and the refusals; what is no trace begins a new one. */
import test from 'ava';
import {uuidv7} from '../../events/uuid.ts';
import {type GatewayOptions, startGateway} from '../helpers/gateway.ts';
import {chat, startModel} from '../helpers/simulated-model.ts';

const route = '/v1/chat/completions';
const trace = '4bf92f3577b34da6a3ce929d0e0e4736';
const traceparent = `00-${trace}-00f067aa0ba902b7-01`;
const form = /^00-([0-9a-f]{32})-([0-9a-f]{16})-0[01]$/;

const ask = async (
  t: Parameters<typeof startGateway>[0],
  headers: Record<string, string>,
  options: GatewayOptions = {},
) => {
  const gateway = await startGateway(t, options);
  const response = await gateway.post(route, chat({max_tokens: 2}), {headers});
  await response.text();
  await gateway.settled();
  const [call] = gateway.model.requests();
  return {gateway, response, sent: call?.headers ?? {}};
};

test('the model server, the intent, the result and the line of the log have the trace of the client', async t => {
  const {gateway, response, sent} = await ask(t, {traceparent, tracestate: 'congo=t61rcWkgMzE'});
  const [, found, parent] = form.exec(String(sent.traceparent)) ?? [];
  t.is(found, trace);
  t.not(parent, '00f067aa0ba902b7', 'our own span is between the client and the model server');
  t.is(sent.tracestate, 'congo=t61rcWkgMzE');
  t.is(sent['x-request-id'], response.headers.get('x-request-id') ?? '');
  t.is(gateway.log.events.length, 2);
  for (const event of gateway.log.events) {
    t.is(event.traceparent, sent.traceparent as string, event.type);
  }
  const line = gateway.lines.map(text => JSON.parse(text)).find(({outcome}) => outcome);
  t.is(line?.trace, trace);
});

test('each endpoint that is tried is called in the same trace', async t => {
  const ill = await startModel(t, {keepRequests: true, faults: ['error-503']});
  const well = await startModel(t, {keepRequests: true});
  const endpointAt = (url: string, health: 'healthy' | 'unknown') => ({
    id: uuidv7(),
    url,
    upstreamModel: 'simulated-chat',
    usage: 'every-chunk' as const,
    tokenize: false,
    health,
  });
  const endpoints = [endpointAt(ill.url, 'healthy'), endpointAt(well.url, 'unknown')];
  const {gateway} = await ask(t, {traceparent}, {entry: {endpoints}});
  t.is(gateway.results()[0]?.tries, 2);
  for (const model of [ill, well]) {
    const [call, ...more] = model.requests();
    t.is(form.exec(String(call?.headers.traceparent))?.[1], trace);
    t.is(more.length, 0);
  }
});

for (const [title, received] of [
  ['none', undefined],
  ['zeros', `00-${'0'.repeat(32)}-00f067aa0ba902b7-01`],
  ['no parent', `00-${trace}-${'0'.repeat(16)}-01`],
  ['an unknown version', `ff-${trace}-00f067aa0ba902b7-01`],
  ['two of them', `${traceparent}, ${traceparent}`],
  ['something else', 'x'.repeat(3_000)],
] as const) {
  test(`a traceparent that is ${title} begins a trace of our own, and its tracestate ends there`, async t => {
    const {gateway, sent} = await ask(t, {
      ...(received === undefined ? {} : {traceparent: received}),
      tracestate: 'congo=t61rcWkgMzE',
    });
    const found = form.exec(String(sent.traceparent))?.[1];
    t.truthy(found);
    t.not(found, trace);
    t.is(sent.tracestate, undefined);
    t.is(gateway.log.events[0]?.traceparent, sent.traceparent as string);
  });
}
