/**
Capacity: what a pod asks for, and how many of them there may be.

Without requests the scheduler puts pods where nothing is left, and the first to be ended is the one that asked for nothing; without a
limit of memory a leak is the node's; without `max-scale` a burst is as many connections to PostgreSQL as there are nodes for.
*/
import {type Finding, findingsOf, type Rule} from '../finding.ts';
import {fieldsOf, podsOf} from '../pods.ts';
import {ofKind} from '../wiring.ts';

const error = findingsOf('resources', 'error');
const scaleError = findingsOf('scale', 'error');

export const resourcesAreAsked: Rule = ({resources}) =>
  podsOf(resources).flatMap(({resource, containers}) =>
    containers.flatMap(({path, fields}): Finding[] => {
      const {requests, limits} = fieldsOf(fields.resources);
      const missing = [
        ...['cpu', 'memory']
          .filter(name => !(name in fieldsOf(requests)))
          .map(name => `requests.${name}`),
        ...('memory' in fieldsOf(limits) ? [] : ['limits.memory']),
      ];
      return missing.length === 0
        ? []
        : [error(resource, [...path, 'resources'], `says nothing of ${missing.join(', ')}`)];
    }),
  );

const maxScale = 'autoscaling.knative.dev/max-scale';

export const scaleIsBounded: Rule = ({resources}) =>
  ofKind(resources, 'Service').flatMap((service): Finding[] => {
    const {annotations} = fieldsOf(fieldsOf(service.spec.template).metadata);
    const value = fieldsOf(annotations)[maxScale];
    return typeof value === 'string' && Number(value) >= 1
      ? []
      : [
          scaleError(
            service,
            ['spec', 'template', 'metadata', 'annotations', maxScale],
            `${maxScale} is not a number from 1 on, in quotes: nothing bounds how many pods there are`,
          ),
        ];
  });
