/** Command list: every command of `sluice` with its sentence, as a table in Markdown. */
import {pathOf} from '../../functions/admin/cli/shell/globals.ts';
import {createProgram} from '../../functions/admin/cli/tree.ts';

type Made = ReturnType<typeof createProgram>;

/** A group that is a command, too: it has options that are not every command's. */
const isItself = (command: Made) => command.options.some(({long}) => long === '--group-by');

const leaves = (command: Made): Made[] =>
  command.commands.length === 0
    ? [command]
    : [
        ...(isItself(command) ? [command] : []),
        ...command.commands.flatMap(one => leaves(one as Made)),
      ];

const escaped = (text: string) => text.replaceAll('|', '\\|').replaceAll('<', '\\<');

export const renderCommands = (): string => {
  const never = () => {
    throw new Error('nothing is run');
  };
  const surroundings = {environment: {}, folder: '/', out: never, err: never, terminal: false};
  const context = {
    client: never,
    settings: never,
    out: never,
    err: never,
    colour: false,
    clientAt: never,
    atEnd: never,
    globals: never,
    progress: never,
    confirm: never,
  };
  const program = createProgram(context, {surroundings, onRun: never});
  const rows = leaves(program).map(command => {
    const typed = command.registeredArguments
      .map(one => (one.required ? `<${one.name()}>` : `[${one.name()}]`))
      .join(' ');
    return `| \`${[pathOf(command), typed].filter(Boolean).join(' ')}\` | ${escaped(command.summary())} |`;
  });
  return ['| `sluice` | |', '| --- | --- |', ...rows.sort()].join('\n');
};
