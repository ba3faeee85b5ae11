/**
Timeouts: who waits, waits longer than who works.

A delivery that gives up before its subscriber does is repeated while the first attempt still runs. A pod that is to stop drains
for 30 s and is killed after `timeoutSeconds`, so less than that cuts requests.
*/
import {readDurationMs} from '../../local/plan/delivery.ts';
import {findingsOf, type Rule} from '../finding.ts';
import {podsOf} from '../pods.ts';
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

/** A source's own default: events/source/settings.ts. */
const sourceTimeoutMs = 60_000;
const graceDefaultSeconds = 30;

/** What is in flight when a source is told to go is answered before it is killed: else it is sent again. */
export const sourceOutlastsDelivery: Rule = ({resources}) =>
  podsOf(resources)
    .filter(({resource}) => ['ContainerSource', 'StatefulSet'].includes(resource.kind))
    .flatMap(({resource, path, fields, containers}) => {
      const env = containers[0]?.fields.env;
      const said = (Array.isArray(env) ? env : []).find(({name}) => name === 'SOURCE_TIMEOUT_MS');
      const deliverySeconds = Number(said?.value ?? sourceTimeoutMs) / 1_000;
      const {terminationGracePeriodSeconds: grace = graceDefaultSeconds} = fields;
      return Number(grace) > deliverySeconds
        ? []
        : [
            error(
              resource,
              [...path, 'terminationGracePeriodSeconds'],
              `its pod is killed ${grace} s after it was told to go, a delivery may last ${deliverySeconds} s`,
            ),
          ];
    });
