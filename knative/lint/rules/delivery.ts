/**
Delivery: a delivery says the whole of itself.

Where a Trigger has one, the multi-tenant class forgets the Broker's and the Kafka class merges the two field by field; where a
field is said nowhere, each class has a default of its own (waits of nothing or of a second, no timeout or ten minutes).
*/
import type {Resource} from '../../local/plan/manifests.ts';
import {type Finding, findingsOf, type Rule} from '../finding.ts';
import {brokerOfTrigger, deliveryOf, ofKind} from '../wiring.ts';

const fields = ['retry', 'backoffPolicy', 'backoffDelay', 'timeout'];
const backoff = ['backoffPolicy', 'backoffDelay'];

const backoffError = findingsOf('backoff', 'error');
const wholeError = findingsOf('whole-delivery', 'error');
const wholeWarning = findingsOf('whole-delivery', 'warning');
const retryError = findingsOf('retry-zero', 'error');

/** With one of the two, the multi-tenant class does not wait at all. */
export const backoffIsWhole: Rule = ({resources}) =>
  withDelivery(resources).flatMap(resource => {
    const missing = missingIn(resource, backoff);
    return missing.length === 1
      ? [
          backoffError(
            resource,
            ['spec', 'delivery', ...backoff.filter(field => !missing.includes(field))],
            `has no ${missing[0]}: say backoffPolicy and backoffDelay, or neither`,
          ),
        ]
      : [];
  });

export const deliveryIsWhole: Rule = ({resources}) => [
  ...withDelivery(resources).flatMap(resource => {
    const missing = missingIn(resource, fields);
    // One half of the backoff is the other rule's.
    const counted =
      missingIn(resource, backoff).length === 1
        ? missing.filter(field => !backoff.includes(field))
        : missing;
    return counted.length === 0
      ? []
      : [
          wholeError(
            resource,
            ['spec', 'delivery'],
            `leaves out ${counted.join(', ')}: ${resource.kind === 'Trigger' ? 'one class takes it from the Broker, the other does not; say all of them, or no delivery' : 'each class has another default'}`,
          ),
        ];
  }),
  ...ofKind(resources, 'Broker')
    .filter(broker => deliveryOf(broker) === undefined)
    .map(broker =>
      wholeWarning(broker, ['spec'], 'has no delivery: the configuration of the cluster decides'),
    ),
];

/** The Kafka class takes 0 for nothing said. */
export const retryIsNotZero: Rule = ({resources}) =>
  ofKind(resources, 'Trigger').flatMap((trigger): Finding[] => {
    const broker = brokerOfTrigger(resources, trigger);
    const inherited = Number((broker && deliveryOf(broker)?.retry) ?? 0);
    return deliveryOf(trigger)?.retry === 0 && inherited > 0
      ? [
          retryError(
            trigger,
            ['spec', 'delivery', 'retry'],
            `retry: 0 does not end the ${inherited} retries of its Broker in the Kafka class; answer 422 for what is not to be tried again`,
          ),
        ]
      : [];
  });

const withDelivery = (resources: readonly Resource[]) =>
  resources.filter(
    resource =>
      (resource.kind === 'Broker' || resource.kind === 'Trigger') &&
      deliveryOf(resource) !== undefined,
  );

const missingIn = (resource: Resource, wanted: readonly string[]) => {
  const delivery = deliveryOf(resource) ?? {};
  return wanted.filter(field => delivery[field] === undefined);
};
