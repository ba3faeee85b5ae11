/**
Model child: a simulated model server in a process of its own, so that a test can kill it, and can ask what it sent.

In: its options as JSON, as its first argument; then messages of its parent: new settings, or a question. Out: where it listens, then
answers to questions. It ends with its parent.
*/
import {
  type SimulatedModelOptions,
  startSimulatedModel,
} from '../../knative/local/simulated-model/server.ts';

export type Asked = Readonly<
  {ask: number} & ({what: 'counters'} | {what: 'requests'; ids: readonly string[]})
>;
export type Told = Readonly<{set: SimulatedModelOptions}>;

const model = await startSimulatedModel(JSON.parse(process.argv[2] ?? '{}'));
process.on('message', (message: Asked | Told) => {
  if ('set' in message) {
    model.set(message.set);
    return;
  }
  const answer =
    message.what === 'counters'
      ? model.counters()
      : message.ids.map(id => model.requestCounters(id) ?? null);
  process.send?.({ask: message.ask, answer});
});
process.once('disconnect', () => process.exit(0));
process.send?.({listening: model.port});
