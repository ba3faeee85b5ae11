import assert from 'node:assert/strict';
import test from 'ava';
import {createAdmin} from '../helpers/admin.ts';
import {eventually} from '../helpers/eventually.ts';
import {createHttpTestServer} from '../helpers/http.ts';
import {startSluice} from '../helpers/sluice.ts';

type Span = {
  traceId: string;
  name: string;
  startTimeUnixNano: string;
  attributes: {key: string; value: {intValue?: number | string; stringValue?: string}}[];
  events: {name: string}[];
};
type Export = {resourceSpans: {scopeSpans: {spans: Span[]}[]}[]};

test('one trace follows a request through key, budget, model and ledger, in this order', async t => {
  const spans: Span[] = [];
  const collector = await createHttpTestServer(t, async (request, response) => {
    const parts: Buffer[] = [];
    for await (const part of request) {
      parts.push(part as Buffer);
    }
    const {resourceSpans} = JSON.parse(Buffer.concat(parts).toString('utf8')) as Export;
    spans.push(
      ...resourceSpans.flatMap(({scopeSpans}) => scopeSpans.flatMap(scope => scope.spans)),
    );
    response.end('{}');
  });
  const sluice = await startSluice(t, {
    env: {
      OTEL_EXPORTER_OTLP_ENDPOINT: collector.url,
      OTEL_EXPORTER_OTLP_PROTOCOL: 'http/json',
      OTEL_METRICS_EXPORTER: 'none',
      OTEL_LOGS_EXPORTER: 'none',
      OTEL_BSP_SCHEDULE_DELAY: '100',
    },
  });
  const trace = '4bf92f3577b34da6a3ce929d0e0e4736';
  const response = await fetch(`${sluice.url}/v1/chat/completions`, {
    method: 'POST',
    headers: {
      authorization: `Bearer ${sluice.apiKey}`,
      traceparent: `00-${trace}-00f067aa0ba902b7-01`,
    },
    body: JSON.stringify({
      model: sluice.model,
      max_tokens: 5,
      messages: [{role: 'user', content: 'canary-in-a-trace'}],
    }),
  });
  t.is(response.status, 200);

  const found = await eventually(() => {
    const own = spans.filter(({traceId}) => traceId === trace);
    const named = (name: string) => {
      const span = own.find(candidate => candidate.name === name);
      assert.ok(span, `no span ${name} among ${own.map(candidate => candidate.name)}`);
      return span;
    };
    return {
      request: named(`chat ${sluice.model}`),
      debit: named('budget dev.sluice.inference.finished.v1'),
      usage: named('usage dev.sluice.inference.finished.v1'),
    };
  });
  const steps = found.request.events.map(({name}) => name);
  t.is(steps[0], 'authenticated');
  t.is(steps[1], 'held');
  t.deepEqual(steps.slice(2).sort(), ['first byte', 'intent durable', 'result']);
  t.is(steps.at(-1), 'result');
  const attributes = Object.fromEntries(
    found.request.attributes.map(({key, value}) => [
      key,
      value.stringValue ?? Number(value.intValue),
    ]),
  );
  t.like(attributes, {
    'gen_ai.operation.name': 'chat',
    'gen_ai.provider.name': 'sluice',
    'gen_ai.request.model': sluice.model,
    'gen_ai.request.max_tokens': 5,
    'gen_ai.usage.output_tokens': 5,
    'server.address': '127.0.0.1',
    'sluice.request': response.headers.get('x-request-id'),
    'sluice.outcome': 'completed',
  });
  t.true(Number(attributes['server.port']) > 0);
  t.is(attributes['error.type'], undefined);
  for (const after of [found.debit, found.usage]) {
    t.true(BigInt(after.startTimeUnixNano) > BigInt(found.request.startTimeUnixNano));
  }
  t.false(JSON.stringify(spans).includes('canary-in-a-trace'));
  // The ledger keeps the trace, and who asks for the request is told it.
  const explained = await createAdmin(sluice).get<{trace: string; cost: {agrees: boolean}}>(
    `/requests/${response.headers.get('x-request-id')}`,
  );
  t.is(explained.trace, trace);
  t.true(explained.cost.agrees);

  const refused = await fetch(`${sluice.url}/v1/chat/completions`, {
    method: 'POST',
    headers: {authorization: `Bearer ${sluice.apiKey}`},
    body: JSON.stringify({
      model: sluice.model,
      max_tokens: 5,
      messages: [{role: 'user', content: 'x'.repeat(60_000)}],
    }),
  });
  t.is(refused.status, 400);
  await eventually(() => {
    const span = spans.find(({attributes: own}) =>
      own.some(
        ({key, value}) =>
          key === 'sluice.request' && value.stringValue === refused.headers.get('x-request-id'),
      ),
    );
    const error = span?.attributes.find(({key}) => key === 'error.type');
    assert.equal(error?.value.stringValue, 'bad_request');
  });
});
