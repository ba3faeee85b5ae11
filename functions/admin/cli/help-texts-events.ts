/** Help texts of events that are sent and looked at, of the audit, and of what runs behind the models. */
import type {HelpTexts} from './help.ts';

export const eventTexts: HelpTexts = {
  'events send': {
    about:
      'As a producer does it: to /events, with an API key that may send events. All of a file is read and checked before the first is sent. What has no id gets one that is made of its line, so that a file that is sent twice is the same events.',
    examples: [
      `events send --type com.example.order.placed --data '{"order":7}' --subject order-7`,
      'events send --file orders.ndjson',
      'events send --file orders.ndjson --after 1500',
      'events send --file - --type com.example.order.placed --dry-run',
    ],
  },
  deployment: {
    about:
      'Beside what the registry found out by asking the model servers stands what Kubernetes says of them.',
    examples: ['deployment status'],
  },
  'deployment status': {
    about:
      'The cluster is the one that kubectl would take: KUBECONFIG, ~/.kube/config, or the account of the pod that this runs in. It is only read: Services, Deployments, pods, events and InferenceServices of the namespaces that endpoints are in. Without one the registry is shown alone.',
    examples: [
      'deployment status',
      'deployment status --model llama-3.1-8b --environment production',
      'deployment status --no-kubernetes --json',
    ],
  },
};
