/**
Scale: how many pods a function has at least, and new revisions of it.

In: an installation, the name of a function. Out: resolves when the new revision is Ready and gets the requests. Whoever changes
something puts it back.
*/
import assert from 'node:assert/strict';
import {eventually} from '../helpers/eventually.ts';
import type {Installation} from '../helpers/installation.ts';

const minScale = 'autoscaling.knative.dev/min-scale';

type Service = Readonly<{
  metadata: {generation: number};
  spec: {template: {metadata?: {annotations?: Record<string, string>}}};
  status: {
    observedGeneration?: number;
    latestReadyRevisionName?: string;
    latestCreatedRevisionName?: string;
    conditions?: readonly Readonly<{type: string; status: string}>[];
  };
}>;

const read = async ({kubectl}: Installation, name: string): Promise<Service> =>
  JSON.parse(await kubectl('get', 'ksvc', name, '-o', 'json'));

/** With other annotations; undefined takes one away. Resolves with the name of the revision. */
export const revise = async (
  installation: Installation,
  name: string,
  annotations: Readonly<Record<string, string | undefined>>,
): Promise<string> => {
  const patch = Object.fromEntries(
    Object.entries(annotations).map(([key, value]) => [key, value ?? null]),
  );
  await installation.kubectl(
    ...['patch', 'ksvc', name, '--type=merge', '-p'],
    JSON.stringify({spec: {template: {metadata: {annotations: patch}}}}),
  );
  return await eventually(
    async () => {
      const {metadata, status} = await read(installation, name);
      assert.equal(status.observedGeneration, metadata.generation);
      assert.equal(status.conditions?.find(({type}) => type === 'Ready')?.status, 'True');
      assert.equal(status.latestReadyRevisionName, status.latestCreatedRevisionName);
      return String(status.latestReadyRevisionName);
    },
    {timeoutMs: 600_000, intervalMs: 250},
  );
};

export const minScaleOf = async (installation: Installation, name: string) =>
  (await read(installation, name)).spec.template.metadata?.annotations?.[minScale];

export const setMinScale = (installation: Installation, name: string, value: string | undefined) =>
  revise(installation, name, {[minScale]: value});
