/**
Tracing: the spans of a request, from the gateway through the log to the ledger, and measurements, where somebody collects them.

In: a name, the trace context that came. Out: a span, and the trace context to pass on. Without an OTLP endpoint nothing is
recorded and trace context still travels: the OpenTelemetry SDK costs a good part of a second of start, so it is loaded only
where it is wanted. Which requests are recorded is the SDK's to decide (OTEL_TRACES_SAMPLER).
*/
import {rememberAttributes} from './attribute-memo.ts';
import {continueTrace, traceIdOf} from './telemetry.ts';

export type Attributes = Readonly<Record<string, string | number | boolean>>;

export type Span = Readonly<{
  /** For what is called or sent from here. */
  traceparent: string;
  event(name: string): void;
  /** `attributes` is asked where the span is recorded only. */
  end(attributes?: () => Attributes, error?: string): void;
}>;

/** Adds a value. Attributes that are frozen and used again are dealt with once. */
export type Histogram = (value: number, attributes: Attributes) => void;

export type Tracing = Readonly<{
  /** Absent where nobody collects. Exported as the SDK says (OTEL_METRICS_EXPORTER, OTEL_METRIC_EXPORT_INTERVAL). */
  histogram?(
    name: string,
    options: Readonly<{unit: string; description: string; boundaries: readonly number[]}>,
  ): Histogram;
  /** `startedMs`: milliseconds since 1970, when it began before this call. `attributes` is asked where it is recorded only. */
  start(
    name: string,
    options?: {received?: string; startedMs?: number; attributes?: () => Attributes},
  ): Span;
  /** Sends what was recorded. */
  stop(): Promise<void>;
}>;

export const noTracing: Tracing = {
  start: (_name, {received} = {}) => ({
    traceparent: continueTrace(received),
    event: ignore,
    end: ignore,
  }),
  async stop() {},
};

/** Of a span that nobody records. */
const ignore = () => {};

/** Whether the sender of this trace context records it; who does not want a span need not ask for one. */
export const isSampled = (traceparent: unknown): traceparent is string =>
  typeof traceparent === 'string' && traceparent.endsWith('-01');

export const startTracing = async ({
  name,
  endpoint,
}: {
  name: string;
  endpoint: string | undefined;
}): Promise<Tracing> => {
  if (endpoint === undefined) {
    return noTracing;
  }
  const [{NodeSDK}, api] = await Promise.all([
    import('@opentelemetry/sdk-node'),
    import('@opentelemetry/api'),
    rememberAttributes(),
  ]);
  const sdk = new NodeSDK({serviceName: `sluice-${name}`, instrumentations: []});
  sdk.start();
  const tracer = api.trace.getTracer('sluice');
  const meter = api.metrics.getMeter('sluice');

  /** Every part of the context is checked and rewritten by `continueTrace`, so only what is one gets here. */
  const parentOf = (received: string | undefined) =>
    received === undefined || traceIdOf(continueTrace(received)) !== traceIdOf(received)
      ? api.ROOT_CONTEXT
      : api.trace.setSpanContext(api.ROOT_CONTEXT, {
          traceId: traceIdOf(received),
          spanId: received.slice(36, 52),
          traceFlags: isSampled(received) ? api.TraceFlags.SAMPLED : api.TraceFlags.NONE,
          isRemote: true,
        });

  return {
    histogram(metric, {boundaries, ...options}) {
      const made = meter.createHistogram(metric, {
        ...options,
        advice: {explicitBucketBoundaries: [...boundaries]},
      });
      return (value, attributes) => made.record(value, attributes);
    },
    start(spanName, {received, startedMs, attributes} = {}) {
      const options = {
        kind: api.SpanKind.SERVER,
        ...(startedMs === undefined ? {} : {startTime: startedMs}),
      };
      const span = tracer.startSpan(spanName, options, parentOf(received));
      const {traceId, spanId, traceFlags} = span.spanContext();
      const traceparent = `00-${traceId}-${spanId}-0${traceFlags & 1}`;
      if (!span.isRecording()) {
        return {traceparent, event: ignore, end: ignore};
      }
      if (attributes) {
        span.setAttributes(attributes());
      }
      return {
        traceparent,
        event: event => void span.addEvent(event),
        end(more, error) {
          if (more) {
            span.setAttributes(more());
          }
          if (error !== undefined) {
            span.setAttributes({'error.type': error});
            span.setStatus({code: api.SpanStatusCode.ERROR, message: error});
          }
          span.end();
        },
      };
    },
    stop: () => sdk.shutdown(),
  };
};
