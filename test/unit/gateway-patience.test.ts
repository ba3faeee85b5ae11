/** How long an intent may wait for company: as long as its model's answer surely leaves time, and no longer. */
import test from 'ava';
import {createPatience} from '../../functions/gateway/log/patience.ts';

const settled = (answerMs: number, appendMs: number) => {
  const patience = createPatience();
  for (let time = 0; time < 200; time += 1) {
    patience.observe('m', answerMs);
    patience.appended(appendMs);
  }
  return patience.lingerMs('m');
};

for (const [answerMs, appendMs, lingerMs] of [
  [100, 5, 20],
  [1_000, 5, 25],
  [60_000, 1_000, 25],
  [1, 5, 2],
  [100, 50, 2],
  [40, 0, 10],
] as const) {
  test(`an answer after ${answerMs} ms and appends of ${appendMs} ms leave ${lingerMs} ms`, t => {
    t.is(Math.round(settled(answerMs, appendMs)), lingerMs);
  });
}

test('of a model that is not known nothing is supposed', t => {
  t.is(createPatience().lingerMs('m'), 2);
});

test('what makes it shorter is believed at once, what makes it longer by degrees', t => {
  const patience = createPatience();
  patience.observe('m', 100);
  patience.observe('m', 4);
  t.true(patience.lingerMs('m') < 14);
  patience.observe('m', 100);
  t.true(patience.lingerMs('m') < 16);
  patience.appended(100);
  t.is(patience.lingerMs('m'), 2);
});

test('models that come and go are forgotten', t => {
  const patience = createPatience({modelsMax: 2});
  for (const model of ['a', 'b', 'c']) {
    patience.observe(model, 100);
  }
  t.is(patience.lingerMs('a'), 2);
  t.is(patience.lingerMs('c'), 25);
});
