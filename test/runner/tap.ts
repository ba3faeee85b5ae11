/**
TAP: what AVA says about a run, as counts and failures.

In: the lines of `ava --tap`. Out: how many passed, failed and were skipped; each failure with all that was said about it.
Every way to end without having tested everything is a failure: AVA's own exit code and plan are believed before its tests.
*/
export type TapResult = Readonly<{
  passed: number;
  failed: number;
  skipped: number;
  failures: readonly string[];
}>;

export type TapTest = Readonly<{
  outcome: 'passed' | 'failed' | 'skipped';
  title: string;
  text: string;
}>;

const testLine = /^(not )?ok \d+(?: - (.*?))?(?: # (SKIP|TODO).*)?$/;

const parseTest = (line: string): Omit<TapTest, 'text'> | undefined => {
  const found = testLine.exec(line);
  if (!found) {
    return undefined;
  }
  // A to-do is `not ok`, but it is a plan and not a failure.
  const outcome = found[3] ? 'skipped' : found[1] ? 'failed' : 'passed';
  return {outcome, title: found[2] ?? ''};
};

/** Takes a line at a time; tells each test to `onTest` once all of its text has been read. */
export const createTapReader = (onTest: (test: TapTest) => void = () => {}) => {
  const tests: TapTest[] = [];
  let current: {test: Omit<TapTest, 'text'>; lines: string[]} | undefined;
  let planned = false;
  let reportedFailures = 0;

  const finishTest = () => {
    if (current) {
      const test = {...current.test, text: current.lines.join('\n')};
      tests.push(test);
      onTest(test);
      current = undefined;
    }
  };

  const push = (line: string) => {
    const test = parseTest(line);
    if (test) {
      finishTest();
      current = {test, lines: [line]};
      return;
    }
    const summary = /^# fail (\d+)/.exec(line);
    if (summary || /^1\.\.\d+/.test(line)) {
      finishTest();
      planned = true;
      reportedFailures = Math.max(reportedFailures, Number(summary?.[1] ?? 0));
      return;
    }
    if (!/^# (tests|pass|skip|todo) \d+$/.test(line) && line !== '') {
      current?.lines.push(line);
    }
  };

  const end = (exitCode: number | null): TapResult => {
    finishTest();
    const count = (outcome: TapTest['outcome']) =>
      tests.filter(test => test.outcome === outcome).length;
    const failures = tests.filter(test => test.outcome === 'failed').map(test => test.text);
    const unseen = reportedFailures - failures.length;
    if (unseen > 0) {
      failures.push(`${unseen} test(s) did not run to their end`);
    }
    const nothing = count('passed') + failures.length === 0;
    if (nothing) {
      failures.push(`no test was executed (exit code ${exitCode}): is there such a file or title?`);
    } else if (!planned) {
      failures.push(`AVA ended in the middle of the run (exit code ${exitCode})`);
    } else if (exitCode !== 0 && failures.length === 0) {
      failures.push(
        `AVA failed with exit code ${exitCode}, though no test did: did a test file not end by itself?`,
      );
    }
    const failed = Math.max(failures.length + Math.max(unseen - 1, 0), 0);
    return {passed: count('passed'), failed, skipped: count('skipped'), failures};
  };

  return {push, end};
};

/** The last line of a run, in the one form that machines read. */
export const summarise = ({
  passed,
  failed,
  skipped,
}: {
  passed: number;
  failed: number;
  skipped: number;
}) => `${passed} passed, ${failed} failed${skipped > 0 ? `, ${skipped} skipped` : ''}`;
