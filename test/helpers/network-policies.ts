/**
Network policies: what the charts make of all that is in charts/control-plane/network.yaml: the control plane's with everything on,
and two tenants'.
*/
import type {Policy} from './cyclonus.ts';
import {chartFolder, type KubernetesObject, template} from './helm.ts';

export const tenantValues = (namespace: string) => ({
  organisation: '0198f0f6-2f7b-7cc3-8a53-0a2f4c6d8e10',
  namespace: {name: namespace},
});

export const renderPolicies = async (): Promise<readonly Policy[]> => {
  const objects = await Promise.all([
    template(chartFolder('control-plane'), {files: ['ci/network-values.yaml']}),
    ...['tenant-acme', 'tenant-globex'].map(namespace =>
      template(chartFolder('tenant'), {release: namespace, values: tenantValues(namespace)}),
    ),
  ]);
  return objects.flat().filter(({kind}: KubernetesObject) => kind === 'NetworkPolicy');
};
