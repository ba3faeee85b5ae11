import test from 'ava';
import {messageOf} from '../../events/brokers/broker.ts';
import {aboutOf, refusedBy, undelivered} from '../../events/dead-letters.ts';
import type {Event} from '../../events/event.ts';

const org = '0192f0c1-7a00-7000-8000-00000000000a';
const event: Event = {
  specversion: '1.0',
  id: 'a\0b',
  source: '\ud800',
  type: 'test.done',
  orgid: org,
  data: {text: 'a\0b'},
};

test('a letter can be stored whatever is in its event, and its reason is not as long as it likes', t => {
  const letter = refusedBy('budget', event, `because\0${'x'.repeat(2_000)}`);
  t.false(`${letter.eventId}${letter.source}${letter.reason}${letter.event}`.includes('\0'));
  t.true(letter.source?.isWellFormed());
  t.is(letter.reason.length, 1_000);
  t.deepEqual(JSON.parse(letter.event).data, {text: 'a\0b'});
});

test('a letter has one id however often it is made, another for another content or function', t => {
  const {id} = refusedBy('budget', event, 'because');
  t.is(id, refusedBy('budget', event, 'for another reason').id);
  t.not(id, refusedBy('budget', {...event, time: '2026-11-21T10:00:00Z'}, 'because').id);
  t.not(id, refusedBy('usage', event, 'because').id);
});

test('what is no event tells nothing, and what is no organisation is none', t => {
  const nothing = {org: undefined, source: undefined, eventId: undefined, type: undefined};
  t.deepEqual(aboutOf({}), nothing);
  t.deepEqual(aboutOf({orgid: 'no uuid', id: 5}), nothing);
  t.is(aboutOf(event).org, org);
});

const dead = (fields: object = {}, json = JSON.stringify({...event, id: '1', source: '/s'})) =>
  undelivered({
    message: messageOf({id: '7', subscription: 'one', attempt: 3, json}),
    topic: 'broker:default',
    reason: 'the answer was 422: a prompt, perhaps',
    status: 422,
    destination: 'one/',
    ...fields,
  });

test('what a broker of ours gave up is proved, and its reason has nothing of the answer', t => {
  t.like(dead(), {
    proved: true,
    origin: 'broker:default',
    attempts: 3,
    reason: 'the answer was 422',
    errorData: 'a prompt, perhaps',
    type: 'test.done',
  });
  t.like(dead({reason: 'no answer within 200 ms', detail: 'x'.repeat(2_000)}), {
    reason: 'no answer within 200 ms',
    errorData: 'x'.repeat(1_000),
  });
});

test('a delivery that is repeated is the same letter; what is no event and has no known origin is one too', t => {
  t.is(dead().id, dead({reason: 'another'}).id);
  t.not(dead().id, dead({}, JSON.stringify({...event, redriven: dead().id})).id);
  t.like(dead({topic: 'no origin'}, '{"no": "event"}'), {origin: undefined, type: undefined});
});
