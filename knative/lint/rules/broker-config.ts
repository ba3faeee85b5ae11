/**
Broker config: a Broker of the class Kafka names the ConfigMap that says where Kafka is and what its topic is like.

Without one it is whatever the cluster's default happens to be, and of a Broker that was made neither class nor config can be changed.
*/
import type {Resource} from '../../local/plan/manifests.ts';
import {type Finding, findingsOf, type Rule} from '../finding.ts';
import {fieldsOf} from '../pods.ts';
import {isInMemory, ofKind} from '../wiring.ts';

const error = findingsOf('broker-config', 'error');
const keys = [
  'bootstrap.servers',
  'default.topic.partitions',
  'default.topic.replication.factor',
] as const;

export const kafkaIsConfigured: Rule = ({resources}) =>
  ofKind(resources, 'Broker')
    .filter(broker => !isInMemory(broker))
    .flatMap(broker => findingsIn(broker, resources));

const findingsIn = (broker: Resource, resources: readonly Resource[]): Finding[] => {
  const {kind, name, namespace = broker.namespace} = fieldsOf(broker.spec.config);
  const path = ['spec', 'config'];
  if (kind !== 'ConfigMap' || name === undefined) {
    return [error(broker, path, 'names no ConfigMap that says where Kafka is')];
  }
  const map = ofKind(resources, 'ConfigMap').find(
    other => other.name === name && other.namespace === namespace,
  );
  if (!map) {
    return [error(broker, path, `there is no ConfigMap ${namespace}/${name} among the manifests`)];
  }
  const missing = keys.filter(key => !map.data[key]);
  return missing.length === 0
    ? []
    : [
        error(
          map,
          ['data'],
          `says nothing of ${missing.join(', ')}, which a Broker of Kafka needs`,
        ),
      ];
};
