/**
Globals: the options that every command takes, before or after its name.

In: the tree of commands. Out: the same tree, each command with those options that it has not itself; and, when one is run, what was
said. They are taken out of the command's own options, so that no command sends them to the API by mistake.
*/
import {type Command, InvalidArgumentError, Option} from 'commander';

export type Output = 'table' | 'json' | 'csv';
export type Globals = Readonly<{
  output?: Output;
  quiet: boolean;
  verbose: boolean;
  dryRun: boolean;
  /** Seconds between two looks. */
  watch?: number;
  yes: boolean;
  context?: string;
  url?: string;
}>;

export const noGlobals: Globals = {quiet: false, verbose: false, dryRun: false, yes: false};

const outputs = ['table', 'json', 'csv'];
const watchSecondsMax = 3_600;

const seconds = (text: string): number => {
  const value = Number(text);
  if (!(value >= 0.1 && value <= watchSecondsMax)) {
    throw new InvalidArgumentError(
      'expected seconds, such as 2; put --watch last or write --watch=2',
    );
  }
  return value;
};

export const globalOptions = (): readonly Option[] => [
  new Option('-o, --output <format>', 'table for people; json or csv for machines').choices(
    outputs,
  ),
  new Option('--format <format>', 'as --output').choices(outputs).hideHelp(),
  new Option('--json', 'as --output json'),
  new Option('--csv', 'as --output csv'),
  new Option('-w, --watch [seconds]', 'show it again and again, every 2 seconds unless said')
    .preset('2')
    .argParser(seconds),
  new Option('--dry-run', 'show what would be changed, and change nothing'),
  new Option('-y, --yes', 'do not ask whether it is meant'),
  new Option('-q, --quiet', 'ids only, one a line, and errors'),
  new Option('-v, --verbose', 'show requests and answers on standard error, secrets masked'),
  new Option('--context <name>', 'the context to use, see sluice context'),
  new Option('--url <url>', 'the server; its key is looked up by this URL'),
];

export const everyCommand = (command: Command): Command[] => [
  command,
  ...command.commands.flatMap(everyCommand),
];

/** `sluice budget list`, without `sluice`. */
export const pathOf = (command: Command): string => {
  const names: string[] = [];
  for (let at: Command | null = command; at?.parent; at = at.parent) {
    names.unshift(at.name());
  }
  return names.join(' ');
};

/** The last thing that is done to the tree. `onRun` hears what was said before the command acts. */
export const addGlobals = (program: Command, onRun: (globals: Globals) => void) => {
  const added = new Map<Command, string[]>();
  for (const command of everyCommand(program)) {
    for (const option of globalOptions()) {
      const isTaken = command.options.some(
        ({long, short}) => long === option.long || (short && short === option.short),
      );
      if (isTaken) {
        continue;
      }
      command.addOption(
        command === program ? option.helpGroup('Options of every command:') : option.hideHelp(),
      );
      added.set(command, [...(added.get(command) ?? []), option.attributeName()]);
    }
  }
  program.hook('preAction', (_, command) => {
    const said: Record<string, unknown> = {};
    const names = globalOptions().map(option => option.attributeName());
    for (let at: Command | null = command; at; at = at.parent) {
      for (const name of names) {
        // A command that takes an option of this name for itself means something else by it.
        if (said[name] === undefined && added.get(at)?.includes(name)) {
          said[name] = at.getOptionValue(name);
        }
      }
    }
    const own = command.opts<Record<string, unknown>>();
    const given = names.filter(name => !added.get(command)?.includes(name));
    for (const name of given) {
      own[name] ??= ['dryRun', 'yes', 'json', 'csv'].includes(name) ? said[name] : undefined;
      if (own[name] === undefined) {
        delete own[name];
      }
    }
    onRun(toGlobals(said, own, given));
    for (const name of added.get(command) ?? []) {
      delete own[name];
    }
  });
};

const toGlobals = (
  said: Readonly<Record<string, unknown>>,
  own: Readonly<Record<string, unknown>>,
  given: readonly string[],
): Globals => {
  const output = said.output ?? said.format ?? (said.json ? 'json' : said.csv ? 'csv' : undefined);
  return {
    quiet: Boolean(said.quiet),
    verbose: Boolean(said.verbose),
    // Who has the option does it alone: the server may tell more than we can.
    dryRun: !given.includes('dryRun') && Boolean(said.dryRun),
    yes: Boolean(said.yes ?? own.yes),
    ...(output === undefined ? {} : {output: output as Output}),
    ...(said.watch === undefined ? {} : {watch: said.watch as number}),
    ...(said.context === undefined ? {} : {context: said.context as string}),
    ...(said.url === undefined ? {} : {url: said.url as string}),
  };
};
