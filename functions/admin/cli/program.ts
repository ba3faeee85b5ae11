/**
Program: the command line of `sluice`.

In: arguments, environment, the current folder, ways to write. Out: the exit code (`failure.ts`).
*/
import {CommanderError} from 'commander';
import type {Notice} from '../client/client.ts';
import {waitFor} from '../client/transport.ts';
import {type Client, createClient} from './shell/client.ts';
import {createConfirm} from './shell/confirm.ts';
import type {Context} from './shell/context.ts';
import {DryRun, describedText} from './shell/dry-run.ts';
import {exitCodes, Failure} from './shell/failure.ts';
import {type Globals, noGlobals} from './shell/globals.ts';
import {noticeText} from './shell/notice.ts';
import {createProgress, noProgress} from './shell/progress.ts';
import {readSettings, type Settings} from './shell/settings.ts';
import {watch} from './shell/watch.ts';
import {createProgram} from './tree.ts';

export type Surroundings = Readonly<{
  environment: Readonly<Record<string, string | undefined>>;
  folder: string;
  out: (text: string) => void;
  err: (text: string) => void;
  /** Standard output is a terminal. */
  terminal: boolean;
  /** Standard error is a terminal. */
  errTerminal?: boolean;
  /** Asks a person; absent where there is none. */
  ask?: (question: string) => Promise<string>;
  /** All of standard input. */
  read?: () => Promise<string>;
  /** Is called where an interrupt is to end well. */
  interrupted?: () => AbortSignal;
  wait?: (ms: number, signal?: AbortSignal) => Promise<void>;
}>;

export const runCli = async (
  args: readonly string[],
  surroundings: Surroundings,
): Promise<number> => {
  const {err} = surroundings;
  const session = createSession(surroundings);
  try {
    await session.run(args);
    return 0;
  } catch (error) {
    if (error instanceof CommanderError) {
      // Commander has written its message.
      return error.exitCode === 0 ? 0 : exitCodes.usage;
    }
    if (error instanceof DryRun) {
      session.tellDryRun(error);
      return 0;
    }
    err(`sluice: ${(error as Error).message.replace(/\p{Cc}/gu, ' ')}\n`);
    return error instanceof Failure ? error.exitCode : exitCodes.failed;
  } finally {
    await session.end();
  }
};

/** Thrown by the first look of `--watch`, before its command acts. */
class Watched extends Error {
  override readonly name = 'Watched';
}

const createSession = (surroundings: Surroundings) => {
  const {environment, folder, out, err, terminal, errTerminal = false, ask} = surroundings;
  const {wait = waitFor} = surroundings;
  let globals: Globals = noGlobals;
  let settings: Settings | undefined;
  let client: Client | undefined;
  let isWatching = false;
  const endings: (() => Promise<void>)[] = [];
  const colour =
    environment.FORCE_COLOR && environment.FORCE_COLOR !== '0'
      ? true
      : terminal && !environment.NO_COLOR;
  const tell = (text: string) => {
    if (!globals.quiet) {
      err(text);
    }
  };
  const readOnce = (): Settings => {
    if (!settings) {
      settings = readSettings(environment, folder, globals);
      for (const warning of settings.warnings) {
        tell(`sluice: ${warning}\n`);
      }
    }
    return settings;
  };
  const progress = errTerminal ? createProgress({write: tell}) : noProgress;
  const onNotice = (notice: Notice) => {
    if (globals.verbose || notice.kind === 'retry') {
      tell(noticeText(notice));
    }
  };
  const clientAt = (at: Settings) =>
    createClient({
      settings: at,
      dryRun: globals.dryRun,
      watching: isWatching,
      progress,
      onNotice,
      wait,
    });
  const contextWith = (write: (text: string) => void): Context => ({
    client() {
      client ??= clientAt(readOnce());
      return client;
    },
    clientAt,
    settings: readOnce,
    out: write,
    err: tell,
    colour,
    globals: () => globals,
    progress,
    confirm: createConfirm({globals: () => globals, ask}),
    atEnd: work => endings.push(work),
  });
  const runOnce = (args: readonly string[], write: (text: string) => void) =>
    createProgram(contextWith(write), {
      surroundings,
      onRun(said) {
        globals = said;
        if (said.watch !== undefined && !isWatching) {
          throw new Watched();
        }
      },
    }).parseAsync(args, {from: 'user'});
  return {
    tellDryRun({described}: DryRun) {
      if (globals.output === 'json') {
        out(`${JSON.stringify(described)}\n`);
      } else {
        out(describedText(described));
        tell('nothing was changed\n');
      }
    },
    async end() {
      await Promise.allSettled(endings.map(work => work()));
    },
    async run(args: readonly string[]) {
      try {
        await runOnce(args, out);
      } catch (error) {
        if (!(error instanceof Watched)) {
          throw error;
        }
        isWatching = true;
        const run = async (write: (text: string) => void) => {
          await runOnce(args, write);
        };
        const {watch: seconds = 2} = globals;
        const signal = surroundings.interrupted?.() ?? new AbortController().signal;
        await watch({run, seconds, terminal, out, err: tell, signal, wait});
      }
    },
  };
};
