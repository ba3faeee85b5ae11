/**
Kafka client: from this machine to brokers that are named as pods name them.

In: the brokers, `kubectl`. Out: a client. The name of a Service is looked up by `kubectl`; any other is taken as it is.
*/
import {connect} from 'node:net';
import {type ISocketFactory, Kafka, logLevel} from 'kafkajs';
import type {Kubectl} from './kubectl.ts';

/** A headless Service has the addresses of its pods. */
const addressOf = async (cluster: Kubectl, host: string): Promise<string> => {
  const [service = '', namespace = '', kind] = host.split('.');
  if (kind !== 'svc') {
    return host;
  }
  const ask = (what: string, path: string) =>
    cluster(['-n', namespace, 'get', what, service, '-o', `jsonpath={${path}}`]);
  const address = await ask('service', '.spec.clusterIP');
  return address === 'None' ? ask('endpoints', '.subsets[0].addresses[0].ip') : address;
};

export const openKafka = async (cluster: Kubectl, kafkaBrokers: string): Promise<Kafka> => {
  const brokers = kafkaBrokers.split(',');
  const addresses = new Map<string, string>();
  for (const broker of brokers) {
    const [host = ''] = broker.split(':');
    addresses.set(host, await addressOf(cluster, host));
  }
  const socketFactory: ISocketFactory = ({host, port, onConnect}) =>
    connect({host: addresses.get(host) ?? host, port}, onConnect).setKeepAlive(true);
  return new Kafka({brokers, logLevel: logLevel.NOTHING, socketFactory});
};
