/**
Log: the log port over Kafka, and how it stands in for itself while Kafka is away.

In: events. Out: a promise that is kept when they are durable. `createFallbackLog` appends to Kafka, and to the outbox what
Kafka refused or did not acknowledge in time: ids make the double harmless. A failure opens the circuit that several logs
share: until Kafka answers again nobody waits for it, and then one append tries while the others go where they went.
*/
import {toKafkaRecord} from '../codec.ts';
import {SluiceError} from '../errors.ts';
import type {EventLog} from '../outbox.ts';
import type {KafkaProducer} from './producer.ts';

export const usageTopic = 'sluice.usage';

export const createKafkaLog = <Name extends string>({
  producer,
  buffer,
  topic = usageTopic,
}: {
  producer: KafkaProducer<Name>;
  buffer: Name;
  topic?: string;
}): EventLog => ({
  append: events =>
    producer.send(
      events.map(event => ({topic, ...toKafkaRecord(event)})),
      buffer,
    ),
});

export type Circuit = Readonly<{
  /** Whether the next append may try. Who was told so reports what came of it. */
  mayTry(): boolean;
  succeeded(): void;
  failed(error: Error): void;
  isOpen(): boolean;
  /** answering: it is back, and the next append is the first that tries. */
  state(): 'there' | 'away' | 'answering';
  close(): void;
}>;

export const createCircuit = ({
  probe,
  probeMs = 1_000,
  onOpen = () => {},
  onClosed = () => {},
}: {
  /** Rejects while the primary is away. */
  probe: () => Promise<void>;
  probeMs?: number;
  onOpen?: (error: Error) => void;
  onClosed?: () => void;
}): Circuit => {
  let state: 'closed' | 'open' | 'answering' | 'trying' = 'closed';
  let timer: NodeJS.Timeout | undefined;
  let ended = false;

  const probeLater = () => {
    if (ended) {
      return;
    }
    timer = setTimeout(() => {
      probe().then(() => {
        state = 'answering';
      }, probeLater);
    }, probeMs);
    timer.unref();
  };

  return {
    mayTry() {
      if (state === 'answering') {
        state = 'trying';
        return true;
      }
      return state === 'closed';
    },
    succeeded() {
      // An append that began before the failure may end after it: only the one that tries closes the circuit.
      if (state === 'trying') {
        state = 'closed';
        onClosed();
      }
    },
    failed(error) {
      if (state === 'closed') {
        onOpen(error);
      }
      if (state === 'closed' || state === 'trying') {
        state = 'open';
        probeLater();
      }
    },
    isOpen: () => state !== 'closed',
    state() {
      return state === 'closed' ? 'there' : state === 'answering' ? 'answering' : 'away';
    },
    close() {
      ended = true;
      clearTimeout(timer);
    },
  };
};

export const createFallbackLog = ({
  primary,
  fallback,
  circuit,
  onAppended = () => {},
}: {
  primary: EventLog;
  fallback: EventLog;
  circuit: Circuit;
  /** How many events went where. */
  onAppended?: (where: 'primary' | 'fallback', events: number) => void;
}): EventLog => ({
  async append(events) {
    let cause: unknown;
    if (circuit.mayTry()) {
      try {
        await primary.append(events);
        circuit.succeeded();
        onAppended('primary', events.length);
        return;
      } catch (error) {
        circuit.failed(error as Error);
        cause = error;
      }
    }
    try {
      await fallback.append(events);
    } catch (error) {
      throw cause === undefined
        ? error
        : new SluiceError('unavailable', 'neither Kafka nor the outbox took the events', {
            cause: new AggregateError([cause, error]),
            retryAfterSeconds: 1,
          });
    }
    onAppended('fallback', events.length);
  },
});
