/**
Tree: every command there is. What is done to all of them is done last.
*/
import {Command} from 'commander';
import {applyCommand} from './apply/command.ts';
import {auditCommand} from './audit/audit.ts';
import {contextCommand} from './context-command.ts';
import {deadLetterCommand} from './deadletter.ts';
import {deploymentCommand} from './deployment/command.ts';
import {doctorCommand} from './doctor/command.ts';
import {eventsCommand} from './events/command.ts';
import {completionCommand} from './help/completion.ts';
import {addHelp} from './help/help.ts';
import {helpTexts} from './help/texts.ts';
import {keyCommand} from './keys/key.ts';
import {limitCommand} from './keys/limit.ts';
import {serviceKeyCommand} from './keys/service-key.ts';
import {modelCommand} from './models/model.ts';
import {registryCommand} from './models/registry.ts';
import {budgetCommand} from './money/budget.ts';
import {explainCommand} from './money/explain.ts';
import {ledgerCommand} from './money/ledger.ts';
import {usageCommand} from './money/usage.ts';
import {usageExportCommand} from './money/usage-export.ts';
import {usageVerifyCommand} from './money/usage-verify.ts';
import type {Surroundings} from './program.ts';
import type {Context} from './shell/context.ts';
import {exitCodesText} from './shell/failure.ts';
import {addGlobals, type Globals} from './shell/globals.ts';
import {explainExcess} from './shell/parse-error.ts';
import {groupRoleCommand} from './tenants/group-role.ts';
import {memberCommand} from './tenants/member.ts';
import {orgCommand} from './tenants/org.ts';
import {orgStampCommand} from './tenants/org-stamp.ts';
import {projectCommand} from './tenants/project.ts';
import {userCommand} from './tenants/user.ts';
import {whoamiCommand} from './tenants/whoami.ts';
import {versionCommand} from './version.ts';

const environmentText = `
Environment:
  SLUICE_URL, SLUICE_ADMIN_KEY  the server, and the admin key or a service key
  SLUICE_CONTEXT                the context to use
  SLUICE_CONFIG                 where contexts are kept; ~/.config/sluice/config.json
  NO_COLOR, FORCE_COLOR         colours never, or always

The server is the first that is said by --context or --url, the environment, the current context, .sluice/dev.json of this
folder, which npm start writes. A key is sent to its own server only.
`;

/** Every command has options; to say so of each is noise. */
const termOf = (command: Command) =>
  [
    command.name(),
    ...command.registeredArguments.map(argument =>
      argument.required ? `<${argument.name()}>` : `[${argument.name()}]`,
    ),
  ].join(' ');

/** The settings of the first command are copied to those that are added, so they come first. */
export const createProgram = (
  context: Context,
  {surroundings, onRun}: {surroundings: Surroundings; onRun: (globals: Globals) => void},
) => {
  const {environment} = surroundings;
  const program = new Command('sluice')
    .description('Administers Sluice: tenants, keys, budgets, models, events.')
    .usage('<command> [options]')
    // Else `usage` would take the options of the same names that follow `usage export`.
    .enablePositionalOptions()
    .exitOverride()
    .configureOutput({writeOut: context.out, writeErr: surroundings.err})
    .configureHelp({sortSubcommands: true, subcommandTerm: termOf})
    .commandsGroup('This command:')
    .showHelpAfterError('(--help says more)')
    .addHelpText('after', environmentText + exitCodesText);
  orgStampCommand(orgCommand(program, context), context, surroundings);
  projectCommand(program, context);
  userCommand(program, context);
  memberCommand(program, context);
  groupRoleCommand(program, context);
  keyCommand(program, context);
  serviceKeyCommand(program, context);
  auditCommand(program, context, surroundings);
  deploymentCommand(program, context, environment);
  const usage = usageCommand(program, context);
  usageExportCommand(usage, context);
  usageVerifyCommand(usage, context);
  ledgerCommand(program, context);
  explainCommand(program, context);
  budgetCommand(program, context);
  modelCommand(program, context);
  registryCommand(program, context, surroundings);
  limitCommand(program, context);
  deadLetterCommand(program, context);
  eventsCommand(program, context, surroundings);
  applyCommand(program, context, surroundings);
  doctorCommand(program, context, surroundings);
  contextCommand(program, context, surroundings);
  completionCommand(program, context);
  whoamiCommand(program, context);
  versionCommand(program, context);
  addHelp(program, helpTexts);
  addGlobals(program, onRun);
  explainExcess(program);
  return program;
};
