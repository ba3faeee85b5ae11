/**
Probes: a pod is asked whether it may be given requests, and whether it still lives, in the way that suits who asks.

Knative's queue-proxy asks for readiness many times a second while a pod starts, unless `periodSeconds` says otherwise: then a start
from zero takes as long as that. Without an HTTP probe it only tries the port, which is open before a function can answer.
*/
import {type Finding, findingsOf, type Rule} from '../finding.ts';
import {type Container, fieldsOf, isLasting, type Pod, podsOf} from '../pods.ts';

const error = findingsOf('probe', 'error');

export const probesAreThere: Rule = ({resources}) =>
  podsOf(resources)
    .filter(isLasting)
    .flatMap(pod => pod.containers.flatMap(container => findingsIn(pod, container)));

const findingsIn = ({resource}: Pod, {path, fields}: Container): Finding[] =>
  (['readinessProbe', 'livenessProbe'] as const).flatMap(name => {
    const probe = fieldsOf(fields[name]);
    const http = fieldsOf(probe.httpGet);
    const say = (message: string) => [error(resource, [...path, name], message)];
    if (typeof http.path !== 'string') {
      return say(`there is no ${name} by HTTP`);
    }
    if (resource.kind !== 'Service') {
      return http.port === undefined
        ? say(`${name} has no port, and only Knative knows which it is`)
        : [];
    }
    return name === 'readinessProbe' && probe.periodSeconds !== undefined
      ? say('periodSeconds of a readinessProbe: a start from zero waits for it')
      : [];
  });
