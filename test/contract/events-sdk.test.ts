import test from 'ava';
import {CloudEvent, HTTP} from 'cloudevents';
import {readHttp, toBinary, toStructured} from '../../events/codec.ts';
import {type Event, makeEvent} from '../../events/event.ts';
import {serve} from '../../events/serve.ts';

/** What the official SDK carries unchanged: its faults (numbers as texts, cut times, base64) are why we have our own codec. */
const event: Event = makeEvent({
  type: 'dev.sluice.lease.fenced.v1',
  from: 'budget',
  id: 'lease/fenced',
  orgid: '0192f0c1-7a00-7000-8000-00000000000a',
  time: new Date('2026-11-21T10:00:00.123Z'),
  traceparent: '00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01',
  data: {
    lease: '0192f0c1-7a00-7000-8000-000000000010',
    window: '0192f0c1-7a00-7000-8000-00000000000f',
  },
});

const plain = (found: unknown) => JSON.parse(JSON.stringify(found));

for (const [mode, write] of [
  ['binary', toBinary],
  ['structured', toStructured],
] as const) {
  test(`the official SDK reads what we write in ${mode} mode`, t => {
    const {headers, body} = write(event);
    const read = HTTP.toEvent({headers, body: body.toString('utf8')}) as CloudEvent<unknown>;
    t.true(read.validate());
    t.deepEqual(plain(read), plain(event));
  });
}

for (const mode of ['binary', 'structured'] as const) {
  test(`we read what the official SDK writes in ${mode} mode`, t => {
    const made = new CloudEvent({...event, id: 'from/sdk'} as never);
    const {headers, body} = HTTP[mode](made);
    const lowered = Object.fromEntries(
      Object.entries(headers).map(([name, value]) => [name.toLowerCase(), String(value)]),
    );
    const {events} = readHttp(lowered, Buffer.from(String(body)));
    t.like(events[0], {id: 'from/sdk', type: event.type, orgid: event.orgid, data: event.data});
  });
}

test("a handler may answer with the SDK's event", async t => {
  const serving = await serve({
    name: 'echo',
    host: '127.0.0.1',
    onEvent: async ({id, data}) =>
      new CloudEvent({
        id: `${id}/echo`,
        source: '/functions/echo',
        type: 'test.echoed',
        data,
      }) as unknown as Event,
  });
  t.teardown(serving.close);
  const {headers, body} = toBinary(event);
  const response = await fetch(serving.url, {method: 'POST', headers, body: new Uint8Array(body)});
  t.is(response.status, 200);
  t.is(response.headers.get('ce-id'), 'lease/fenced/echo');
  t.deepEqual(await response.json(), event.data);
});
