/** Instants: texts that the contract has found to look like one, as dates; those that are none are refused. */
import {SluiceError} from '../../../events/errors.ts';

/** No clock of ours shows more, and a year of five digits is no RFC 3339. */
const endMs = Date.UTC(3000, 0);

/** A date without a time is its first instant, UTC. */
export const toInstant = (text: string, parameter: string): Date => {
  const ms = Date.parse(text);
  if (!(ms >= 0 && ms < endMs)) {
    throw new SluiceError('bad_request', `${parameter}: expected an instant from 1970 to 2999`, {
      parameter,
    });
  }
  return new Date(ms);
};

/** What is over before it is made is a mistake of who asks for it. */
export const toInstantToCome = (text: string, parameter: string, now: Date): Date => {
  const instant = toInstant(text, parameter);
  if (instant <= now) {
    throw new SluiceError('bad_request', `${parameter}: expected an instant to come`, {parameter});
  }
  return instant;
};
