/**
Join: whether an object of Kubernetes may serve a model that is there.

In: the model as it is, what the object says. Out: the reason why it may not, or undefined. A namespace's objects serve the models of that
namespace: those that they made, and those whose registration names it. So nobody's object gets the requests of somebody else's model.
*/
import type {KubernetesObject, Model} from '../model.ts';
import {keyOfRef} from './objects.ts';

/** As many as a registration may name. */
export const objectsMax = 64;

export const refusalOf = (
  model: Model | undefined,
  {
    object,
    registration: {namespace},
  }: Readonly<{object: KubernetesObject; registration: Readonly<{namespace: string | null}>}>,
): string | undefined => {
  if (!model) {
    return undefined;
  }
  if (!isOf(model, namespace)) {
    return `the model ${model.name} in ${model.environment} is not of the namespace ${namespace}: only a model that its objects made, or whose registration names it, takes their endpoints`;
  }
  const older = model.endpoints.filter(
    other => other.object && other.object.ref !== object.ref && byAge(other.object, object) < 0,
  );
  return older.length < objectsMax
    ? undefined
    : `the model has ${objectsMax} older objects, and no more than that count`;
};

/** Where a hand took over without a namespace what objects had made, theirs goes on. */
const isOf = ({namespace: own, endpoints}: Model, namespace: string | null) =>
  own === null
    ? endpoints.some(({object}) => object && keyOfRef(object.ref)?.namespace === namespace)
    : own === namespace;

export const byAge = (a: KubernetesObject, b: KubernetesObject) =>
  a.createdAt === b.createdAt ? (a.ref < b.ref ? -1 : 1) : a.createdAt < b.createdAt ? -1 : 1;
