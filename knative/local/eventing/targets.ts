/**
Targets: how deliveries reach the sinks of the plan: a function through its gate, a Broker at its ingress, a URL as it is.

In: a sink. Out: a target. A full queue and a wait that was too long are answers as well, as Knative's activator gives them; a
function that has no process is away, and no attempt is counted.
*/
import type {Answer} from '../../../events/delivery/policy.ts';
import type {Post} from '../../../events/delivery/post.ts';
import {type Target, targetAt} from '../../../events/delivery/target.ts';
import type {Refused} from '../activator/gate.ts';
import type {Enter} from '../activator/gates.ts';
import {sendThrough} from '../activator/send-through.ts';
import type {Sink} from '../plan/plan.ts';

const awayRetryMs = 500;

export const nameOf = (sink: Sink) => {
  if ('url' in sink) {
    return sink.url;
  }
  return 'broker' in sink ? `the Broker ${sink.broker}` : `${sink.function}${sink.path}`;
};

export const createTargets =
  ({
    enter,
    post,
    brokersUrl,
  }: {
    enter: Enter;
    post: Post;
    /** The ingress of the Brokers, without the path of one. */
    brokersUrl: string;
  }) =>
  (sink: Sink): Target => {
    if ('url' in sink) {
      return targetAt({url: sink.url, post});
    }
    if ('broker' in sink) {
      return targetAt({url: new URL(`/${sink.broker}`, brokersUrl).href, post});
    }
    return functionTarget({sink, enter, post});
  };

const functionTarget = ({
  sink,
  enter,
  post,
}: {
  sink: {function: string; path: string};
  enter: Enter;
  post: Post;
}): Target => {
  let address = nameOf(sink);
  return {
    name: nameOf(sink),
    address: () => address,
    async send({timeoutMs, ...request}) {
      const answer = await sendThrough({
        enter,
        functionName: sink.function,
        timeoutMs,
        send: async ({entry, timeoutMs: leftMs}) => {
          address = new URL(sink.path, entry.url).href;
          const reply = await post({url: address, timeoutMs: leftMs, ...request});
          entry.release(reply.kind === 'none' ? 'broken' : undefined);
          return reply;
        },
      });
      return answer.kind === 'refused' ? answerTo(answer, timeoutMs) : answer;
    },
  };
};

const answerTo = ({reason, message}: Refused, timeoutMs: number): Answer => {
  switch (reason) {
    case 'full':
      return {kind: 'answer', status: 503, body: 'other', detail: message};
    case 'late':
      return {kind: 'answer', status: 504, body: 'other', detail: message};
    case 'left':
      return {kind: 'none', reason: `no answer within ${timeoutMs} ms`};
    default:
      return {kind: 'away', afterMs: awayRetryMs};
  }
};
