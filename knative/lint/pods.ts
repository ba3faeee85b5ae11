/**
Pods: what rules ask of everything that becomes a pod: Services, sources, Jobs.

In: the resources. Out: each pod with its containers, and where they stand. Nothing here complains.
*/
import type {Path, Resource} from '../local/plan/manifests.ts';

type Fields = Readonly<Record<string, unknown>>;

export type Container = Readonly<{path: Path; fields: Fields}>;

export type Pod = Readonly<{
  resource: Resource;
  path: Path;
  fields: Fields;
  /** Those that run before the others included. */
  containers: readonly Container[];
}>;

const path: Path = ['spec', 'template', 'spec'];
const kinds: readonly string[] = ['Service', 'ContainerSource', 'StatefulSet', 'Job'];

/** Empty for what has no fields. */
export const fieldsOf = (value: unknown): Fields =>
  typeof value === 'object' && value !== null ? (value as Fields) : {};

export const podsOf = (resources: readonly Resource[]): Pod[] =>
  resources
    .filter(({kind}) => kinds.includes(kind))
    .map(resource => {
      const fields = fieldsOf(fieldsOf(resource.spec.template).spec);
      const containers = ['initContainers', 'containers'].flatMap(list => {
        const found = fields[list];
        return Array.isArray(found)
          ? found.map((container, index) => ({
              path: [...path, list, index],
              fields: fieldsOf(container),
            }))
          : [];
      });
      return {resource, path, fields, containers};
    });

/** A Job ends by itself: nobody asks it whether it is well. */
export const isLasting = ({resource}: Pod) => resource.kind !== 'Job';
