/**
Send to a sink: to a function through its gate, to a URL as it is.

In: a sink, what posts. Out: its answer. A full queue and a wait that was too long are answers as well, as Knative's
activator gives them; `away` says that nothing was sent, because the function has no process.
*/
import type {Refused} from '../activator/gate.ts';
import type {Enter} from '../activator/gates.ts';
import {sendThrough} from '../activator/send-through.ts';
import type {Sink} from '../plan/plan.ts';
import type {Answer} from './delivery.ts';

export const nameOf = (sink: Sink) => {
  if ('url' in sink) {
    return sink.url;
  }
  return 'broker' in sink ? `the Broker ${sink.broker}` : `${sink.function}${sink.path}`;
};

export const sendToSink = async ({
  sink,
  enter,
  brokersUrl,
  timeoutMs,
  send,
}: {
  sink: Sink;
  enter: Enter;
  /** The ingress of the Brokers, without the path of one. */
  brokersUrl?: string | undefined;
  timeoutMs: number;
  send: (to: {url: string; timeoutMs: number}) => Promise<Answer>;
}): Promise<Answer | 'away'> => {
  if ('url' in sink) {
    return send({url: sink.url, timeoutMs});
  }
  if ('broker' in sink) {
    return brokersUrl === undefined
      ? {kind: 'none', reason: `there is no way to ${nameOf(sink)}`}
      : send({url: new URL(`/${sink.broker}`, brokersUrl).href, timeoutMs});
  }
  const answer = await sendThrough({
    enter,
    functionName: sink.function,
    timeoutMs,
    send: async ({entry, timeoutMs: leftMs}) => {
      const reply = await send({url: new URL(sink.path, entry.url).href, timeoutMs: leftMs});
      entry.release(reply.kind === 'none' ? 'broken' : undefined);
      return reply;
    },
  });
  return answer.kind === 'refused' ? answerTo(answer, timeoutMs) : answer;
};

const answerTo = ({reason, message}: Refused, timeoutMs: number): Answer | 'away' => {
  switch (reason) {
    case 'full':
      return {kind: 'answer', status: 503, body: 'other', detail: message};
    case 'late':
      return {kind: 'answer', status: 504, body: 'other', detail: message};
    case 'left':
      return {kind: 'none', reason: `no answer within ${timeoutMs} ms`};
    default:
      return 'away';
  }
};
