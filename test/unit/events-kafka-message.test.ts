/** What a record is to a subscription: wanted, unwanted before it is read, or no event. */
import test from 'ava';
import {type RawRecord, takeRecord} from '../../events/brokers/kafka/message.ts';
import {recordOf} from '../../events/codec.ts';
import type {Event} from '../../events/event.ts';

const wanted = 'dev.sluice.inference.finished.v1';
const types = new Set([wanted]);
const filter = {types, wants: (event: Event) => types.has(event.type)};

const recordWith = (json: string): RawRecord => {
  const {value, headers} = recordOf(json, null);
  return {offset: '1', key: null, value: Buffer.from(value), headers};
};
const textOf = (type: string) =>
  JSON.stringify({
    specversion: '1.0',
    id: '1',
    source: '/test',
    type,
    time: '2026-11-21T00:00:00Z',
    data: {a: 1},
  });

test('an event of a type that is named is taken, byte for byte', t => {
  const json = textOf(wanted);
  const taken = takeRecord(recordWith(json), filter);
  t.is(taken.kind, 'event');
  t.is(taken.kind === 'event' && taken.json, json);
});

test('an event of another type is passed over, and not read for it', t => {
  const json = textOf('dev.sluice.inference.started.v1');
  t.is(takeRecord(recordWith(json), filter).kind, 'unwanted');
  // Cut off behind its type: whoever read it would say that it is no event.
  t.is(takeRecord(recordWith(json.slice(0, json.indexOf('"time"'))), filter).kind, 'unwanted');
});

for (const [title, json] of [
  ['behind an object', `{"data":{"type":"${wanted}"},"type":"other"`],
  ['with an escape before it', `{"id":"\\"","type":"other"`],
  ['very late', `{"id":"${'x'.repeat(1_000)}","type":"other"`],
] as const) {
  test(`a type that stands ${title} is found by reading the event`, t => {
    const rest = `${json},"specversion":"1.0","source":"/test"${json.includes('"id"') ? '' : ',"id":"1"'}}`;
    t.is(takeRecord(recordWith(rest), filter).kind, 'unwanted');
    const other = takeRecord(
      recordWith(rest.replace('"type":"other"', `"type":"${wanted}"`)),
      filter,
    );
    t.is(other.kind, 'event');
  });
}

test('what is no event is bad when its type is not told', t => {
  t.is(takeRecord(recordWith('{"specversion":'), filter).kind, 'bad');
  t.is(takeRecord(recordWith(`{"type":"${wanted}"`), filter).kind, 'bad');
});
