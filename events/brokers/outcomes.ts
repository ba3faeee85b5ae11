/**
Outcomes: what is to be stored for a batch that was handled.

In: messages and their outcomes. Out: ids that leave the subscription, retries, dead letters, replies to publish.
*/
import type {DeadLetter, Delivery, Message, Outcome} from './broker.ts';

export type Retry = Readonly<{id: string; afterMs: number; counted: boolean}>;

export const sortOutcomes = (messages: readonly Message[], outcomes: readonly Outcome[]) => {
  const settled: string[] = [];
  const retries: Retry[] = [];
  const letters: DeadLetter[] = [];
  const replies: Delivery[] = [];
  for (const [index, message] of messages.entries()) {
    const outcome = outcomes[index] as Outcome;
    if (outcome.kind === 'retry') {
      const {afterMs, counted = true} = outcome;
      retries.push({id: message.id, afterMs, counted});
      continue;
    }
    settled.push(message.id);
    if (outcome.kind === 'dead') {
      const {reason, status, destination} = outcome;
      letters.push({message, reason, status, destination});
    } else {
      replies.push(...(outcome.publish ?? []));
    }
  }
  return {settled, retries, letters, replies};
};
