/**
Failure: every way in which the CLI ends other than well, with its exit code.
*/
export const exitCodes = {
  /** The server could not do it. */
  failed: 1,
  /** The command line, the settings or a value in them is wrong. */
  usage: 2,
  /** No answer came. */
  unreachable: 3,
  /** The key is wrong or may not do this. */
  refused: 4,
  notFound: 5,
} as const;

/** Shown with `--help`. */
export const exitCodesText = `
Exit codes:
  0  done
  1  failed: the server could not do it
  2  usage: the command line, a setting or a value is wrong
  3  unreachable: no answer came
  4  refused: the key is wrong, or may not do this
  5  not found`;

export class Failure extends Error {
  override readonly name = 'Failure';
  readonly exitCode: number;
  /** Of the server's answer, where it was one. */
  readonly status: number | undefined;

  constructor(kind: keyof typeof exitCodes, message: string, cause?: unknown, status?: number) {
    super(message, {cause});
    this.exitCode = exitCodes[kind];
    this.status = status;
  }
}
