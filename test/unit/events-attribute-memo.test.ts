import {metrics} from '@opentelemetry/sdk-node';
import test from 'ava';
import {rememberAttributes} from '../../events/attribute-memo.ts';

const {
  AggregationTemporality,
  InMemoryMetricExporter,
  MeterProvider,
  PeriodicExportingMetricReader,
} = metrics;

test('frozen attributes are looked at once, and what is measured with them is the same', async t => {
  await rememberAttributes();
  const exporter = new InMemoryMetricExporter(AggregationTemporality.CUMULATIVE);
  const reader = new PeriodicExportingMetricReader({exporter, exportIntervalMillis: 3_600_000});
  const provider = new MeterProvider({readers: [reader]});
  t.teardown(() => provider.shutdown());
  const histogram = provider.getMeter('test').createHistogram('h');
  let looks = 0;
  const attributes = {
    get model() {
      looks += 1;
      return 'llama';
    },
  };
  const frozen = Object.freeze(attributes);
  for (let count = 0; count < 10; count++) {
    histogram.record(2, frozen);
  }
  const changing = {model: 'llama'};
  histogram.record(3, changing);
  changing.model = 'qwen';
  histogram.record(4, changing);
  t.true(looks < 5, `${looks}`);
  await reader.forceFlush();
  const points = exporter.getMetrics()[0]?.scopeMetrics[0]?.metrics[0]?.dataPoints ?? [];
  t.deepEqual(
    points.map(({attributes: {model}, value}) => [model, (value as {sum: number}).sum]),
    [
      ['llama', 23],
      ['qwen', 4],
    ],
  );
});
