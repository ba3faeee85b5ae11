/**
Dead letters: every Trigger has a dead letter sink, its own or its Broker's, and one that is somewhere else.

Without one the Kafka class commits the offset of an event that nobody took, and it is gone.
*/
import {deadLetterOf} from '../../local/plan/subscriptions.ts';
import {findingsOf, type Rule} from '../finding.ts';
import {brokerOfTrigger, ofKind} from '../wiring.ts';

const error = findingsOf('dead-letter', 'error');

type Destination = {ref?: {kind?: unknown; name?: unknown}; uri?: unknown};

const same = (one: Destination, other: Destination) =>
  one.ref?.kind === other.ref?.kind &&
  one.ref?.name === other.ref?.name &&
  (one.uri ?? '/') === (other.uri ?? '/');

export const deadLetters: Rule = ({resources}) =>
  ofKind(resources, 'Trigger').flatMap(trigger => {
    const broker = brokerOfTrigger(resources, trigger);
    const sink = deadLetterOf(trigger) ?? (broker && deadLetterOf(broker));
    if (sink === undefined) {
      return [
        error(
          trigger,
          ['spec'],
          'has no dead letter sink, nor has its Broker: what cannot be delivered is lost',
        ),
      ];
    }
    const path = ['spec', 'delivery', 'deadLetterSink'];
    if (same(sink as Destination, (trigger.spec.subscriber ?? {}) as Destination)) {
      return [
        error(trigger, path, 'its dead letters go to the subscriber that has just refused them'),
      ];
    }
    return (sink as Destination).ref?.kind === 'Broker'
      ? [
          error(
            trigger,
            path,
            'its dead letters go to a Broker, where only a Trigger may take them',
          ),
        ]
      : [];
  });
