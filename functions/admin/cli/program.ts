/**
Program: the command line of `sluice`.

In: arguments, environment, the current folder, ways to write. Out: the exit code (`failure.ts`).
*/
import {Command, CommanderError} from 'commander';
import {budgetCommand} from './budget.ts';
import {type Client, createClient} from './client.ts';
import type {Context} from './context.ts';
import {deadLetterCommand} from './deadletter.ts';
import {eventsCommand} from './events.ts';
import {explainCommand} from './explain.ts';
import {exitCodes, exitCodesText, Failure} from './failure.ts';
import {groupRoleCommand} from './group-role.ts';
import {keyCommand} from './key.ts';
import {ledgerCommand} from './ledger.ts';
import {limitCommand} from './limit.ts';
import {memberCommand} from './member.ts';
import {modelCommand} from './model.ts';
import {orgCommand} from './org.ts';
import {projectCommand} from './project.ts';
import {serviceKeyCommand} from './service-key.ts';
import {readSettings} from './settings.ts';
import {usageCommand} from './usage.ts';
import {usageExportCommand} from './usage-export.ts';
import {usageVerifyCommand} from './usage-verify.ts';
import {userCommand} from './user.ts';

export type Surroundings = Readonly<{
  environment: Readonly<Record<string, string | undefined>>;
  folder: string;
  out: (text: string) => void;
  err: (text: string) => void;
  /** Standard output is a terminal. */
  terminal: boolean;
}>;

export const runCli = async (
  args: readonly string[],
  {environment, folder, out, err, terminal}: Surroundings,
): Promise<number> => {
  let client: Client | undefined;
  const context: Context = {
    client() {
      client ??= createClient({settings: readSettings(environment, folder)});
      return client;
    },
    out,
    err,
    colour: terminal && !environment.NO_COLOR,
  };
  try {
    await createProgram(context, environment).parseAsync(args, {from: 'user'});
    return 0;
  } catch (error) {
    if (error instanceof CommanderError) {
      // Commander has written its message.
      return error.exitCode === 0 ? 0 : exitCodes.usage;
    }
    err(`sluice: ${(error as Error).message.replace(/\p{Cc}/gu, ' ')}\n`);
    return error instanceof Failure ? error.exitCode : exitCodes.failed;
  }
};

/** The settings of the first command are copied to those that are added, so they come first. */
const createProgram = (context: Context, environment: Surroundings['environment']) => {
  const program = new Command('sluice')
    .description('Administers Sluice over its HTTP API.')
    // Else `usage` would take the options of the same names that follow `usage export`.
    .enablePositionalOptions()
    .exitOverride()
    .configureOutput({writeOut: context.out, writeErr: context.err})
    .showHelpAfterError('(--help says more)')
    .addHelpText(
      'after',
      `
The server: SLUICE_URL and SLUICE_ADMIN_KEY, or .sluice/dev.json of this folder.
${exitCodesText}`,
    );
  orgCommand(program, context);
  projectCommand(program, context);
  userCommand(program, context);
  memberCommand(program, context);
  groupRoleCommand(program, context);
  keyCommand(program, context);
  serviceKeyCommand(program, context);
  const usage = usageCommand(program, context);
  usageExportCommand(usage, context);
  usageVerifyCommand(usage, context);
  ledgerCommand(program, context);
  explainCommand(program, context);
  budgetCommand(program, context);
  modelCommand(program, context);
  limitCommand(program, context);
  deadLetterCommand(program, context);
  eventsCommand(program, context, environment);
  return program;
};
