import test from 'ava';
import {createMetrics} from '../../events/metrics.ts';

test('counters and gauges are written in the text format of Prometheus', t => {
  const metrics = createMetrics();
  const requests = metrics.counter('requests_total', 'Requests.');
  requests({code: '200'}).add();
  requests({code: '200'}).add(2);
  requests({code: '500'}).add();
  metrics.gauge('open', 'Open.')().set(7);
  t.is(
    metrics.text(),
    [
      '# HELP requests_total Requests.',
      '# TYPE requests_total counter',
      'requests_total{code="200"} 3',
      'requests_total{code="500"} 1',
      '# HELP open Open.',
      '# TYPE open gauge',
      'open 7',
      '',
    ].join('\n'),
  );
});

test('a histogram counts up to its bounds, bounds included', t => {
  const metrics = createMetrics();
  const seconds = metrics.histogram('seconds', 'Seconds.', [1, 2])({path: '/'});
  for (const value of [0.5, 1, 1.5, 9]) {
    seconds.observe(value);
  }
  t.is(
    metrics.text(),
    [
      '# HELP seconds Seconds.',
      '# TYPE seconds histogram',
      'seconds_bucket{path="/",le="1"} 2',
      'seconds_bucket{path="/",le="2"} 3',
      'seconds_bucket{path="/",le="+Inf"} 4',
      'seconds_sum{path="/"} 12',
      'seconds_count{path="/"} 4',
      '',
    ].join('\n'),
  );
});

test('a label cannot break out of its quotes', t => {
  const metrics = createMetrics();
  metrics.counter('a', 'A.')({x: 'q"\\\nb 1'}).add();
  t.true(metrics.text().endsWith('a{x="q\\"\\\\\\nb 1"} 1\n'));
});

test('a family stops growing, and counts the rest as other', t => {
  const metrics = createMetrics();
  const counter = metrics.counter('a', 'A.');
  for (let index = 0; index < 1_500; index += 1) {
    counter({client: String(index)}).add();
  }
  const lines = metrics
    .text()
    .split('\n')
    .filter(line => line.startsWith('a{'));
  t.is(lines.length, 1_001);
  t.is(lines.at(-1), 'a{client="other"} 500');
});
