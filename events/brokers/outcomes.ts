/**
Outcomes: what is to be stored for a batch that was handled.

In: messages of one topic and their outcomes. Out: ids that leave the subscription, retries, dead letters, replies to publish.
*/
import type {DeadLetter, Message, Outcome, Publication} from './broker.ts';

export type Retry = Readonly<{id: string; afterMs: number; counted: boolean}>;

export const sortOutcomes = (
  topic: string,
  messages: readonly Message[],
  outcomes: readonly Outcome[],
) => {
  const settled: string[] = [];
  const retries: Retry[] = [];
  const letters: DeadLetter[] = [];
  const replies: Publication[] = [];
  for (const [index, message] of messages.entries()) {
    const outcome = outcomes[index] as Outcome;
    if (outcome.kind === 'retry') {
      const {afterMs, counted = true} = outcome;
      retries.push({id: message.id, afterMs, counted});
      continue;
    }
    settled.push(message.id);
    if (outcome.kind === 'dead') {
      const {reason, status, destination, detail} = outcome;
      letters.push({message, topic, reason, status, destination, detail});
    } else {
      replies.push(...(outcome.publish ?? []));
    }
  }
  return {settled, retries, letters, replies};
};
