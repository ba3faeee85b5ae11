/**
Release: Sluice by its chart, as an operator installs, upgrades and removes it.

In: the kubeconfig, a namespace, values. Out: Helm's answer; what it said when it failed, as an error.
*/
import {chartFolder, type Output, runTool} from '../helpers/helm.ts';

export type Release = Readonly<{kubeconfig: string; namespace: string; name: string}>;

/** The migration has its own, shorter one. */
const timeout = '--timeout=15m';

export const controlPlane = chartFolder('control-plane');

/** `NAME:TAG` of an image as the chart's values. */
export const imageValues = (image: string) => {
  const colon = image.lastIndexOf(':');
  return {repository: image.slice(0, colon), tag: image.slice(colon + 1)};
};

const tryHelm = (
  {kubeconfig, namespace}: Release,
  args: readonly string[],
  values?: object,
): Promise<Output> =>
  runTool('helm', ['--kubeconfig', kubeconfig, '--namespace', namespace, ...args], {
    input: values === undefined ? '' : JSON.stringify(values),
  });

const helm = async (release: Release, args: readonly string[], values?: object) => {
  const {code, stdout, stderr} = await tryHelm(release, args, values);
  if (code !== 0) {
    throw new Error(`helm ${args[0]} ended with ${code}: ${stderr}`);
  }
  return stdout;
};

export const install = (release: Release, values: object) =>
  helm(release, ['install', release.name, controlPlane, timeout, '--values', '-'], values);

/** Also when it fails: that is for the caller to judge. */
export const upgrade = (release: Release, values: object) =>
  tryHelm(release, ['upgrade', release.name, controlPlane, timeout, '--values', '-'], values);

export const uninstall = (release: Release) =>
  helm(release, ['uninstall', release.name, '--ignore-not-found', '--wait', timeout]);
