/**
Brokers: what a class cannot promise is not asked of it: to keep what must not be lost, to keep order.
*/
import {type Finding, findingsOf, type Rule} from '../finding.ts';
import {choosesType, takes} from '../takes.ts';
import {brokerOfTrigger, filterOf, isInMemory, ofKind} from '../wiring.ts';

const memoryWarning = findingsOf('in-memory', 'warning');
const memoryError = findingsOf('in-memory', 'error');
const orderError = findingsOf('order', 'error');
const orderWarning = findingsOf('order', 'warning');

const orderKey = 'kafka.eventing.knative.dev/delivery.order';

export const inMemoryLosesNoTruth: Rule = ({resources, catalogue}) => [
  ...ofKind(resources, 'Broker')
    .filter(isInMemory)
    .map(broker =>
      memoryWarning(
        broker,
        ['metadata'],
        'is in memory: what waits in it is lost with its pod. Good for hints; the class Kafka keeps it',
      ),
    ),
  ...ofKind(resources, 'Trigger').flatMap((trigger): Finding[] => {
    const broker = brokerOfTrigger(resources, trigger);
    const filter = filterOf(trigger);
    if (!broker || !filter || !isInMemory(broker)) {
      return [];
    }
    if (!choosesType(filter)) {
      return [memoryWarning(trigger, ['spec'], 'takes events of every type from memory')];
    }
    const truth = catalogue.filter(one => one.carries === 'truth' && takes(filter, one));
    return truth.length === 0
      ? []
      : [
          memoryError(
            trigger,
            ['spec', 'filter'],
            `takes ${truth.map(({type}) => type).join(', ')} from a Broker in memory: what is truth travels a log, and a source delivers it`,
          ),
        ];
  }),
];

/** Order is kept by partition key, and by one class only. */
export const orderHasKeys: Rule = ({resources, catalogue}) =>
  ofKind(resources, 'Trigger')
    .filter(({annotations}) => annotations[orderKey] === 'ordered')
    .flatMap((trigger): Finding[] => {
      const path = ['metadata', 'annotations', orderKey];
      const broker = brokerOfTrigger(resources, trigger);
      const filter = filterOf(trigger);
      if (!broker || !filter) {
        return [];
      }
      if (isInMemory(broker)) {
        return [orderError(trigger, path, 'only Brokers of the class Kafka keep order')];
      }
      const known = catalogue.filter(one => takes(filter, one));
      const keyless = known.filter(({keyed}) => !keyed).map(({type}) => type);
      if (choosesType(filter) && known.length > 0 && keyless.length === 0) {
        return [];
      }
      const which = choosesType(filter) ? keyless.join(', ') : '';
      return [
        orderWarning(
          trigger,
          path,
          `${which || 'what it takes'} may have no partition key: such events are in no order, and those of one partition wait for each other`,
        ),
      ];
    });
