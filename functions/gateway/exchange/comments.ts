/**
Comments: what a stream is sent while its model starts, so that nobody on the way takes the silence for an end.

In: an exchange that waits. Out: when it waits for that, the head and a comment now and then, until the answer begins or the exchange ends; never before
the intent is durable. Who reads event streams passes over comments.
*/
import type {Limits} from '../../../events/limits.ts';
import type {Exchange} from './admitted.ts';
import {streamType} from './answer.ts';
import {type State, sendHead} from './state.ts';

const comment = Buffer.from(': waiting\n\n');

export const startComments = (
  exchange: Exchange,
  state: State,
  {firstCommentMs, commentMs}: Pick<Limits, 'firstCommentMs' | 'commentMs'>,
) => {
  const send = () => {
    state.comments = setTimeout(send, commentMs);
    if (state.acknowledged && (state.sent || state.waiting?.isStarting)) {
      if (!state.sent) {
        sendHead(exchange, state, streamType, undefined);
      }
      exchange.response.write(comment);
    }
  };
  state.comments = setTimeout(send, firstCommentMs);
};
