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
  'events tail': {
    about:
      'With KAFKA_BROKERS set it reads the topics itself, by a consumer group of its own that commits nothing and is removed at the end. Without Kafka events are kept nowhere once they were handled: the changes, charges and dead letters that they leave are shown instead.',
    examples: [
      'events tail --type inference.finished --org acme',
      'events tail --since 2026-11-21T10:00:00Z --count 100 --json',
    ],
  },
  audit: {
    about:
      'Every change is written down in the transaction that makes it: who, what, before, after. No secret is in it.',
    examples: ['audit list --org acme', 'audit list --follow'],
  },
  'audit list': {
    about: 'An organisation’s admins see its own; without --org the operator sees all.',
    examples: [
      'audit list --org acme --actor ada@example.com --from 2026-11-21',
      'audit list --operation changeBudget --json',
      'audit list --follow',
    ],
  },
  'audit show': {
    about: 'Field by field, old and new. No secret is among them.',
    examples: ['audit show 0192f0c1-7a00-7000-8000-00000000000f'],
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
