/**
Each: delivers the messages of a batch beside each other, so that nothing that goes wrong with one is felt by another.

In: what delivers one. Out: a handler of batches. What can never be sent (it is no event, an attribute cannot be a header) is
dead at once; a fault of ours (a reply that cannot be stored) is no fault of the event, which comes again.
*/
import {failureRetryMs, type Message, type OnBatch, type Outcome} from '../brokers/broker.ts';
import {toBinary} from '../codec.ts';
import type {Logger} from '../telemetry.ts';
import type {Target} from './target.ts';

export const deliverEach = ({
  name,
  target,
  logger,
  deliver,
}: {
  /** The subscription, for logs. */
  name: string;
  target: Target;
  logger: Logger;
  deliver: (message: Message) => Promise<Outcome>;
}): OnBatch => {
  const deliverSafely = async (message: Message): Promise<Outcome> => {
    const fault = faultOf(message);
    if (fault !== undefined) {
      return {kind: 'dead', reason: fault, destination: target.name};
    }
    try {
      return await deliver(message);
    } catch (error) {
      logger.error({subscription: name, event: message.event.id, err: error}, 'a fault');
      return {kind: 'retry', afterMs: failureRetryMs, counted: false};
    }
  };
  return function onBatch(messages) {
    return Promise.all(messages.map(deliverSafely));
  };
};

const faultOf = (message: Message): string | undefined => {
  try {
    toBinary(message.event);
    return undefined;
  } catch (error) {
    return `the event cannot be sent: ${(error as Error).message}`;
  }
};
