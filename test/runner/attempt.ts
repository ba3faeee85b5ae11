/**
Attempt: a part of a run that may go wrong. In: the counts of the run, the part. Out: what went wrong is told and counts as a failure, and
whatever comes after it, the end of what was started above all, is still done.
*/
import {wordsOf} from './service-failed.ts';
import {say} from './stage.ts';

export const attempt = async (counts: {failed: number}, work: () => Promise<void>) => {
  try {
    await work();
  } catch (error) {
    counts.failed++;
    say(`FAILED  ${wordsOf(error)}`);
  }
};
