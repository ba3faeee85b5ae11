/**
Gauges: what the gateway says of itself, so that a figure counts only for what was measured: everything on.

In: its URL. Out: the numbers, and what was not as it should be between two readings.
*/
export type Gauges = Readonly<{
  kafkaAway: number;
  limitsPerProcess: number;
  /** Events that Kafka took, and events that went to the outbox. */
  toKafka: number;
  toOutbox: number;
}>;

export const gaugesOf = (text: string): Gauges => {
  const sumOf = (pattern: RegExp) =>
    [...text.matchAll(pattern)].reduce((sum, [, value]) => sum + Number(value), 0);
  return {
    kafkaAway: sumOf(/^sluice_kafka_away (\S+)$/gm),
    limitsPerProcess: sumOf(/^sluice_limits_per_process (\S+)$/gm),
    toKafka: sumOf(/^sluice_log_events_total\{[^}]*"kafka"[^}]*\} (\S+)$/gm),
    toOutbox: sumOf(/^sluice_log_events_total\{[^}]*"outbox"[^}]*\} (\S+)$/gm),
  };
};

export const readGauges = async (url: string): Promise<Gauges> => {
  const answer = await fetch(`${url}/metrics`);
  return gaugesOf(await answer.text());
};

/** Of the events that are due: a result may still be gathered. */
const arrivedShare = 0.98;

export const flawsOf = (before: Gauges, after: Gauges, requests: number): string[] => {
  const outbox = after.toOutbox - before.toOutbox;
  const kafka = after.toKafka - before.toKafka;
  const due = 2 * requests;
  return [
    ...(outbox > 0 ? [`${outbox} events went to the outbox`] : []),
    ...(kafka < due * arrivedShare ? [`Kafka took ${kafka} events of ${due}`] : []),
    ...(after.kafkaAway > 0 ? ['Kafka is away'] : []),
    ...(after.limitsPerProcess > 0 ? ['limits are not counted in Redis'] : []),
  ];
};
