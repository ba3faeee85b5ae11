/**
Restricted: a pod may do what a function needs and nothing more: what Kubernetes' own standard `restricted` asks for, a root file
system that nobody writes to, and no token of the Kubernetes API that nobody uses.

A cluster that enforces the standard refuses such a pod when it is made, which is after the Service was accepted.
*/
import {type Finding, findingsOf, type Rule} from '../finding.ts';
import {type Container, fieldsOf, type Pod, podsOf} from '../pods.ts';

const error = findingsOf('restricted', 'error');
const tokenError = findingsOf('token', 'error');

const wants: readonly Readonly<{
  field: string;
  holds(security: Readonly<Record<string, unknown>>): boolean;
  message: string;
}>[] = [
  {
    field: 'runAsNonRoot',
    holds: ({runAsNonRoot, runAsUser}) => runAsNonRoot === true && runAsUser !== 0,
    message: 'runAsNonRoot is not true: the image may be made to run as root',
  },
  {
    field: 'readOnlyRootFilesystem',
    holds: ({readOnlyRootFilesystem}) => readOnlyRootFilesystem === true,
    message: 'readOnlyRootFilesystem is not true, and no function writes a file',
  },
  {
    field: 'allowPrivilegeEscalation',
    holds: ({allowPrivilegeEscalation}) => allowPrivilegeEscalation === false,
    message: 'allowPrivilegeEscalation is not false',
  },
  {
    field: 'capabilities',
    holds: ({capabilities}) => {
      const {drop} = fieldsOf(capabilities);
      return Array.isArray(drop) && drop.includes('ALL');
    },
    message: 'capabilities do not drop ALL',
  },
  {
    field: 'seccompProfile',
    holds: ({seccompProfile}) =>
      ['RuntimeDefault', 'Localhost'].includes(String(fieldsOf(seccompProfile).type)),
    message: 'seccompProfile is not RuntimeDefault',
  },
];

/** What the container does not say, its pod says for all. */
const securityOf = (pod: Pod, {fields}: Container) => ({
  ...fieldsOf(pod.fields.securityContext),
  ...fieldsOf(fields.securityContext),
});

export const podsAreRestricted: Rule = ({resources}) =>
  podsOf(resources).flatMap(pod =>
    pod.containers.flatMap((container): Finding[] => {
      const security = securityOf(pod, container);
      return wants
        .filter(({holds}) => !holds(security))
        .map(({field, message}) =>
          error(pod.resource, [...container.path, 'securityContext', field], message),
        );
    }),
  );

/** Who names an account of its own wants its token. */
export const noTokenIsMounted: Rule = ({resources}) =>
  podsOf(resources)
    .filter(
      ({fields: {automountServiceAccountToken, serviceAccountName = 'default'}}) =>
        automountServiceAccountToken !== false && serviceAccountName === 'default',
    )
    .map(({resource, path}) =>
      tokenError(
        resource,
        [...path, 'automountServiceAccountToken'],
        'automountServiceAccountToken is not false: a token of the Kubernetes API lies in a pod that asks it nothing',
      ),
    );
