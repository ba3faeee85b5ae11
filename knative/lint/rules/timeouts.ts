/**
Timeouts: who waits, waits longer than who works.

A delivery that gives up before its subscriber does is repeated while the first attempt still runs. A pod that is to stop drains
for 30 s and is killed after `timeoutSeconds`, so less than that cuts requests.
*/
import {readDurationMs} from '../../local/plan/delivery.ts';
import {findingsOf, type Rule} from '../finding.ts';
import {brokerOfTrigger, deliveryOf, ofKind, serviceOf, timeoutSecondsOf} from '../wiring.ts';

const drainSeconds = 30;
const error = findingsOf('timeouts', 'error');

export const deliveryOutlastsSubscriber: Rule = ({resources}) =>
  ofKind(resources, 'Trigger').flatMap(trigger => {
    const broker = brokerOfTrigger(resources, trigger);
    const owner = deliveryOf(trigger) ? trigger : broker;
    const timeout = owner && deliveryOf(owner)?.timeout;
    const ms = readDurationMs(timeout);
    const service = serviceOf(resources, trigger, trigger.spec.subscriber);
    const seconds = service && timeoutSecondsOf(service);
    if (ms === undefined || seconds === undefined || ms >= seconds * 1_000) {
      return [];
    }
    const own = owner === trigger;
    return [
      error(
        trigger,
        own ? ['spec', 'delivery', 'timeout'] : ['spec'],
        `a delivery ends after ${timeout}${own ? '' : ' (of its Broker)'}, the Service ${service?.name} may work for ${seconds} s: the event is delivered again meanwhile`,
      ),
    ];
  });

export const serviceOutlastsDrain: Rule = ({resources}) =>
  ofKind(resources, 'Service')
    .filter(service => timeoutSecondsOf(service) < drainSeconds)
    .map(service =>
      error(
        service,
        ['spec', 'template', 'spec', 'timeoutSeconds'],
        `timeoutSeconds is less than ${drainSeconds}: a pod that drains is killed before its last requests end`,
      ),
    );
