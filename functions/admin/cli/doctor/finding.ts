/**
Finding: what the doctor says of one thing: whether it is well, what was found, and what to do where it is not.
*/
export type State = 'ok' | 'warn' | 'fail' | 'skipped';
export type Finding = Readonly<{
  check: string;
  state: State;
  found: string;
  /** What to do. */
  remedy?: string;
}>;
export type Environment = Readonly<Record<string, string | undefined>>;

export const ok = (check: string, found: string): Finding => ({check, state: 'ok', found});
export const skipped = (check: string, found: string): Finding => ({
  check,
  state: 'skipped',
  found,
});
export const warn = (check: string, found: string, remedy: string): Finding => ({
  check,
  state: 'warn',
  found,
  remedy,
});
export const fail = (check: string, found: string, remedy: string): Finding => ({
  check,
  state: 'fail',
  found,
  remedy,
});

/** Without what a URL tells of users and passwords. */
export const reasonOf = (error: unknown): string => {
  const {message, code, cause, errors} = error as Error & {
    code?: string;
    cause?: {code?: string; message?: string};
    errors?: readonly Error[];
  };
  const text =
    message || errors?.[0]?.message || cause?.message || code || cause?.code || 'no reason';
  return text
    .replaceAll(/\/\/[^/@\s]*@/g, '//')
    .replaceAll(/\p{Cc}/gu, ' ')
    .slice(0, 200);
};

/** How far a clock is off that showed an instant between two of ours. What lies between cannot be told apart from no difference. */
export const clockDifference = (
  theirs: Readonly<{fromMs: number; toMs: number}>,
  ours: Readonly<{fromMs: number; toMs: number}>,
): number =>
  theirs.fromMs > ours.toMs
    ? theirs.fromMs - ours.toMs
    : theirs.toMs < ours.fromMs
      ? theirs.toMs - ours.fromMs
      : 0;

/** Of a difference of clocks in milliseconds. Leases are safe up to seconds; a log is no fun from one on. */
export const clockFinding = (check: string, differenceMs: number, of: string): Finding => {
  const seconds = Math.abs(differenceMs) / 1_000;
  const found =
    seconds < 0.1
      ? `the clock of ${of} agrees with this machine's`
      : `the clock of ${of} is ${seconds.toFixed(1)} s ${differenceMs >= 0 ? 'ahead of' : 'behind'} this machine's`;
  const remedy = 'let both follow an NTP server (chrony, systemd-timesyncd)';
  return seconds < 2
    ? ok(check, found)
    : seconds < 30
      ? warn(check, found, remedy)
      : fail(check, found, remedy);
};
