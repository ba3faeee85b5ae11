/**
Address: where pods find this machine, and which addresses they come from.

In: `kubectl`; `SLUICE_TEST_HOST` and `SLUICE_TEST_NETWORKS` (comma separated) where the cluster does not tell. Out: the address that
this machine has on its way to the first node; the pods' networks and the nodes, because some networks hide a pod behind its node.
*/
import {createSocket} from 'node:dgram';
import {once} from 'node:events';
import type {Kubectl} from './kubectl.ts';

export type Address = Readonly<{host: string; networks: readonly string[]}>;

type Nodes = Readonly<{
  items: readonly Readonly<{
    spec: {podCIDRs?: readonly string[]};
    status: {addresses: readonly Readonly<{type: string; address: string}>[]};
  }>[];
}>;

/** Nothing is sent: a datagram's socket that is connected has the address that the route gives it. */
const ownAddress = async (towards: string): Promise<string> => {
  const socket = createSocket('udp4');
  try {
    socket.connect(6443, towards);
    await once(socket, 'connect');
    return socket.address().address;
  } finally {
    socket.close();
  }
};

export const findAddress = async (
  kubectl: Kubectl,
  environment: NodeJS.ProcessEnv = process.env,
): Promise<Address> => {
  const {items}: Nodes = JSON.parse(await kubectl(['get', 'nodes', '-o', 'json']));
  const nodes = items.flatMap(({status}) =>
    status.addresses.filter(({type}) => type === 'InternalIP').map(({address}) => address),
  );
  const [first] = nodes;
  const host = environment.SLUICE_TEST_HOST ?? (first && (await ownAddress(first)));
  if (!host) {
    throw new Error(
      'no node has an address: say by SLUICE_TEST_HOST where pods reach this machine',
    );
  }
  const networks = environment.SLUICE_TEST_NETWORKS?.split(',') ?? [
    ...items.flatMap(({spec}) => spec.podCIDRs ?? []),
    ...[...nodes, host].map(address => `${address}/32`),
  ];
  return {host, networks: [...new Set(networks)]};
};
