/**
Confirm: whether something dangerous is meant.

In: what would happen. Out: nothing when it is meant; else a failure. A person at a terminal is asked; a script must say --yes.
*/
import {Failure} from './failure.ts';
import type {Globals} from './globals.ts';

export const createConfirm =
  ({
    globals,
    ask,
  }: {
    globals: () => Globals;
    ask: ((question: string) => Promise<string>) | undefined;
  }) =>
  async (what: string): Promise<void> => {
    const {yes, dryRun} = globals();
    if (yes || dryRun) {
      return;
    }
    if (!ask) {
      throw new Failure('usage', `this would ${what}: give --yes if it is meant`);
    }
    const answer = await ask(`This will ${what}. Is it meant? [y/N] `);
    if (!/^y(es)?$/i.test(answer.trim())) {
      throw new Failure('failed', 'nothing was changed');
    }
  };
