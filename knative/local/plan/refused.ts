/**
Refused: what Knative has and this runner does not honour, with the reason and what to take instead.

A kind or field that was silently ignored would work on a cluster only, or here only.
*/
type Reason = Readonly<{why: string; instead: string}>;

const channels: Reason = {
  why: 'events travel through Brokers only',
  instead: 'a Broker and Triggers, whose order is that of the types',
};
const ownSources: Reason = {
  why: 'it loses or changes events (it acknowledges what was not delivered, or makes events of its own of them)',
  instead: 'a ContainerSource that runs the function source',
};
const ownSinks: Reason = {
  why: 'nothing here stores into another system on behalf of a Trigger',
  instead: 'a function as subscriber, or REPLY_TOPIC and REPLY_STREAM of the function source',
};

/** By group and kind, whatever the version. */
const kinds: Readonly<Record<string, Reason>> = {
  'messaging.knative.dev Channel': channels,
  'messaging.knative.dev InMemoryChannel': channels,
  'messaging.knative.dev KafkaChannel': channels,
  'messaging.knative.dev Subscription': {why: channels.why, instead: 'a Trigger'},
  'flows.knative.dev Sequence': {
    why: 'a step that answers nothing ends it silently',
    instead: 'one Trigger a step, on the type that the step before replies with',
  },
  'flows.knative.dev Parallel': {
    why: 'branches are Channels, and events travel through Brokers only',
    instead: 'one Trigger a branch, with the filter of the branch',
  },
  'sources.knative.dev KafkaSource': ownSources,
  'sources.knative.dev RedisStreamSource': ownSources,
  'sources.knative.dev IntegrationSource': ownSources,
  'sinks.knative.dev RedisStreamSink': ownSinks,
  'eventing.knative.dev KafkaSink': ownSinks,
  'sinks.knative.dev IntegrationSink': ownSinks,
  'sinks.knative.dev JobSink': {
    why: 'there are no Jobs on one machine',
    instead: 'a function with the timeoutSeconds that the work needs',
  },
  'eventing.knative.dev EventPolicy': {
    why: 'senders have no identity here, and OIDC is off by default on a cluster',
    instead: 'SOURCE_TOKEN for what carries truth; what comes through a Broker is a hint',
  },
  'eventing.knative.dev EventTransform': {
    why: 'JSONata is not evaluated here',
    instead: 'a function that replies with the event as it should be',
  },
  'eventing.knative.dev RequestReply': {
    why: 'it waits for a minute at most, whatever its timeout says',
    instead: 'an HTTP call to the function',
  },
  'eventing.knative.dev EventType': {
    why: 'the catalogue of types is schemas/events',
    instead: 'a schema there',
  },
};

/** By the name of the field, wherever it stands. */
const fields: Readonly<Record<string, Reason>> = {
  retryAfterMax: {
    why: 'its feature flag is off by default, and the webhook then refuses it',
    instead: 'backoffPolicy and backoffDelay; Retry-After is honoured here up to a minute',
  },
  format: {
    why: 'the Kafka class ignores it',
    instead: 'nothing: every delivery is in binary mode',
  },
  brokerRef: {
    why: 'without the feature flag for links across namespaces it is ignored, and the Trigger has no Broker',
    instead: 'broker, in the namespace of the Broker',
  },
  CACerts: {why: 'what is called here has no certificate', instead: 'http inside, TLS at the edge'},
  audience: {why: 'OIDC is off by default on a cluster', instead: 'SOURCE_TOKEN'},
  initContainers: {why: 'a function is one process', instead: 'work at the start of the function'},
};

export const refusalOfKind = (apiVersion: unknown, kind: unknown): string | undefined => {
  const key = `${String(apiVersion).split('/')[0]} ${kind}`;
  return Object.hasOwn(kinds, key) ? sentence(kinds[key] as Reason) : undefined;
};

export const refusalOfField = (field: string): string | undefined =>
  Object.hasOwn(fields, field) ? sentence(fields[field] as Reason) : undefined;

const sentence = ({why, instead}: Reason) => `${why}; use ${instead}`;
