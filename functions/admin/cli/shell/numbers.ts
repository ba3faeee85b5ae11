/** Numbers: whole numbers of the command line. In: the option's name, its text. Out: the number; else a failure that says what was expected. */
import {Failure} from './failure.ts';

export const wholeNumber = (name: string, text: string): number => {
  if (!/^\d{1,10}$/.test(text)) {
    throw new Failure('usage', `${name}: expected a whole number, got "${text}"`);
  }
  return Number(text);
};

/** `none` takes a limit away. */
export const numberOrNone = (name: string, text: string): number | null => {
  if (text !== 'none' && !/^\d{1,10}$/.test(text)) {
    throw new Failure('usage', `${name}: expected a whole number or none, got "${text}"`);
  }
  return text === 'none' ? null : Number(text);
};
