/**
Kubeconfig: which cluster is meant, as kubectl decides it.

In: the environment, a way to see whether a file is there. Out: KUBECONFIG's first file that is there, the file in the home folder, the
account of the pod that we are in, or undefined: there is none.
*/
import {existsSync} from 'node:fs';
import {delimiter, join} from 'node:path';
import type {KubeSource} from './cluster.ts';

type Environment = Readonly<Record<string, string | undefined>>;

const tokenFile = '/var/run/secrets/kubernetes.io/serviceaccount/token';

export const kubeSourceOf = (
  {KUBECONFIG: given, HOME: home, KUBERNETES_SERVICE_HOST: host}: Environment,
  context: string | undefined,
  exists: (path: string) => boolean = existsSync,
): KubeSource | undefined => {
  const files = given ? given.split(delimiter) : home ? [join(home, '.kube', 'config')] : [];
  const file = files.find(path => path !== '' && exists(path));
  if (file !== undefined) {
    return {file, context};
  }
  return host && exists(tokenFile) ? 'in-cluster' : undefined;
};
