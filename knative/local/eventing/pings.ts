/**
Pings: sends what PingSources are to send, when their schedules say so.

In: the pings of the plan, how to reach their sinks. Out: events, and a stop. As on Knative five attempts, 50 ms apart and
twice as long each time, then the tick is lost: a ping is a broom, nothing may depend on one.
*/
import {setTimeout as wait} from 'node:timers/promises';
import {Cron} from 'croner';
import {backoffAfter, defaultPolicy, judge, summary} from '../../../events/delivery/policy.ts';
import {sendEvent, type Target} from '../../../events/delivery/target.ts';
import type {Event} from '../../../events/event.ts';
import type {Logger} from '../../../events/telemetry.ts';
import {uuidv7} from '../../../events/uuid.ts';
import type {PingPlan, Sink} from '../plan/plan.ts';

const policy = {...defaultPolicy, retries: 4, backoffMs: 50, timeoutMs: 30_000};

export const pingEvent = (
  {namespace, name, contentType, data, extensions}: PingPlan,
  {id, time}: {id: string; time: Date},
): Event => ({
  specversion: '1.0',
  id,
  source: `/apis/v1/namespaces/${namespace}/pingsources/${name}`,
  type: 'dev.knative.sources.ping',
  time: time.toISOString(),
  ...(contentType === undefined ? {} : {datacontenttype: contentType}),
  ...extensions,
  ...(data === undefined ? {} : {data}),
});

export const startPings = ({
  pings,
  targetOf,
  logger,
  newId = uuidv7,
}: {
  pings: readonly PingPlan[];
  targetOf: (sink: Sink) => Target;
  logger: Logger;
  newId?: () => string;
}) => {
  const closing = new AbortController();
  const running = new Set<Promise<void>>();

  const send = async (ping: PingPlan) => {
    const event = pingEvent(ping, {id: newId(), time: new Date()});
    const target = targetOf(ping.sink);
    for (let attempt = 1; ; attempt += 1) {
      const answer = await sendEvent(target, event, {timeoutMs: policy.timeoutMs});
      const verdict = judge(answer, attempt, policy);
      if (verdict.kind === 'done' || verdict.kind === 'reply') {
        return;
      }
      if (verdict.kind === 'dead' || closing.signal.aborted || attempt > policy.retries) {
        logger.warn({ping: ping.name, answer: summary(answer)}, 'a ping was lost');
        return;
      }
      await wait(backoffAfter(attempt, policy), undefined, {signal: closing.signal}).catch(
        () => {},
      );
    }
  };

  const schedules = pings.map(
    ping =>
      new Cron(
        ping.schedule,
        {...(ping.timezone === undefined ? {} : {timezone: ping.timezone}), unref: true},
        () => {
          const work = send(ping)
            .catch(error => logger.error({ping: ping.name, err: error}, 'a ping failed'))
            .finally(() => running.delete(work));
          running.add(work);
        },
      ),
  );

  return {
    async close() {
      for (const schedule of schedules) {
        schedule.stop();
      }
      closing.abort();
      await Promise.all(running);
    },
  };
};
