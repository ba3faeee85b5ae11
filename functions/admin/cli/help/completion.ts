/**
Completion: `sluice completion bash|zsh|fish`: a script that completes commands and options, made from the tree of commands.
*/
import {Argument, type Command} from 'commander';
import type {Context} from '../shell/context.ts';
import {everyCommand, pathOf} from '../shell/globals.ts';

type Entry = Readonly<{
  path: string;
  commands: ReadonlyArray<Readonly<{name: string; summary: string}>>;
  options: ReadonlyArray<
    Readonly<{flags: readonly string[]; text: string; choices: readonly string[]}>
  >;
}>;
type Shell = 'bash' | 'zsh' | 'fish';

export const completionCommand = (program: Command, context: Context) => {
  program
    .command('completion')
    .addArgument(new Argument('<shell>', 'of what shell').choices(['bash', 'zsh', 'fish']))
    .description('a script that completes commands and options in a shell')
    .action((shell: Shell) => context.out(scripts[shell](entriesOf(program))));
};

export const entriesOf = (program: Command): Entry[] =>
  everyCommand(program).map(command => ({
    path: pathOf(command),
    commands: command.commands.map(one => ({name: one.name(), summary: one.summary()})),
    options: command.options.map(option => ({
      flags: [option.short, option.long].filter(flag => flag !== undefined && flag !== null),
      text: option.description,
      choices: option.argChoices ?? [],
    })),
  }));

const wordsOf = ({commands, options}: Entry) =>
  [...commands.map(({name}) => name), ...options.map(({flags}) => flags.at(-1))].join(' ');

/** What may follow an option, of all commands together: the same name has the same choices. */
const choicesOf = (entries: readonly Entry[]) =>
  new Map(
    entries.flatMap(({options}) =>
      options.flatMap(({flags, choices}) =>
        choices.length > 0 ? flags.map(flag => [flag, choices.join(' ')] as const) : [],
      ),
    ),
  );

/** bash and zsh: which words may come at a place in the tree. */
const functionsOf = (entries: readonly Entry[]) => `_sluice_commands() {
  case "$1" in
${entries
  .filter(({commands}) => commands.length > 0)
  .map(({path, commands}) => `    "${path}") echo "${commands.map(({name}) => name).join(' ')}" ;;`)
  .join('\n')}
  esac
}

_sluice_words() {
  case "$1" in
${entries.map(entry => `    "${entry.path}") echo "${wordsOf(entry)}" ;;`).join('\n')}
  esac
}

_sluice_choices() {
  case "$1" in
${[...choicesOf(entries)].map(([flag, choices]) => `    ${flag}) echo "${choices}" ;;`).join('\n')}
  esac
}
`;

const bash = (
  entries: readonly Entry[],
) => `# Completion of sluice for bash: source <(sluice completion bash)
${functionsOf(entries)}
_sluice() {
  local current="\${COMP_WORDS[COMP_CWORD]}" before="\${COMP_WORDS[COMP_CWORD-1]}" path="" word index choices
  for ((index = 1; index < COMP_CWORD; index++)); do
    word="\${COMP_WORDS[index]}"
    case " $(_sluice_commands "$path") " in
      *" $word "*) path="\${path:+$path }$word" ;;
    esac
  done
  choices="$(_sluice_choices "$before")"
  COMPREPLY=($(compgen -W "\${choices:-$(_sluice_words "$path")}" -- "$current"))
}
complete -o default -F _sluice sluice
`;

const zsh = (entries: readonly Entry[]) => `#compdef sluice
# Completion of sluice for zsh: source <(sluice completion zsh)
${functionsOf(entries)}
_sluice() {
  local at="" word index choices
  for ((index = 2; index < CURRENT; index++)); do
    word="\${words[index]}"
    case " $(_sluice_commands "$at") " in
      *" $word "*) at="\${at:+$at }$word" ;;
    esac
  done
  choices="$(_sluice_choices "\${words[CURRENT-1]}")"
  compadd -- \${(s: :)\${choices:-$(_sluice_words "$at")}}
}
compdef _sluice sluice
`;

const quote = (text: string) => `'${text.replaceAll('\\', '\\\\').replaceAll("'", "\\'")}'`;

const fish = (entries: readonly Entry[]) => {
  const lines = entries.flatMap(({path, commands, options}) => {
    const when = (name: string) => `-n ${quote(path === '' ? name : `${name} ${path}`)}`;
    return [
      ...commands.map(
        ({name, summary}) =>
          `complete -c sluice -f ${when('__sluice_at')} -a ${name} -d ${quote(summary)}`,
      ),
      ...options.map(({flags, text, choices}) => {
        const names = flags.map(flag =>
          flag.startsWith('--') ? `-l ${flag.slice(2)}` : `-s ${flag.slice(1)}`,
        );
        const values = choices.length > 0 ? ` -x -a ${quote(choices.join(' '))}` : '';
        return `complete -c sluice ${when('__sluice_under')} ${names.join(' ')}${values} -d ${quote(text)}`;
      }),
    ];
  });
  return `# Completion of sluice for fish: sluice completion fish | source
function __sluice_words
  string match -v -- '-*' (commandline -opc)[2..]
end
function __sluice_at
  set -l words (__sluice_words)
  test "$words" = "$argv"
end
function __sluice_under
  set -l words (__sluice_words)
  test (count $argv) -eq 0; and return 0
  test (count $words) -ge (count $argv); or return 1
  test "$words[1..(count $argv)]" = "$argv"
end
${lines.join('\n')}
`;
};

const scripts: Readonly<Record<Shell, (entries: readonly Entry[]) => string>> = {bash, zsh, fish};
