/**
Help: what `--help` of each command says beside its options: a sentence, a paragraph, examples.

In: the tree of commands and the texts by the path of a command. Out: the same tree with them. A text of a command that there is not
is a mistake, and so is a command without a text; a test walks the tree.
*/
import type {Command} from 'commander';
import {everyCommand, pathOf} from '../shell/globals.ts';

export type HelpText = Readonly<{
  /** A paragraph, after the sentence. */
  about?: string;
  /** As they are typed, without `sluice`. */
  examples: readonly string[];
}>;
export type HelpTexts = Readonly<Record<string, HelpText>>;

const groups: Readonly<Record<string, string>> = {
  ...all(
    'Tenants:',
    'org',
    'project',
    'user',
    'member',
    'group-role',
    'login-link',
    'login',
    'logout',
    'whoami',
  ),
  ...all('Keys:', 'key', 'service-key'),
  ...all('Money:', 'budget', 'limit', 'usage', 'ledger', 'explain'),
  ...all('Models:', 'model', 'registry', 'deployment'),
  ...all('Events and operation:', 'events', 'deadletter', 'audit', 'doctor', 'apply'),
  ...all('This command:', 'context', 'completion', 'version', 'help'),
};

function all(heading: string, ...names: string[]) {
  return Object.fromEntries(names.map(name => [name, heading]));
}

const sentence = (text: string) => {
  const first = `${text[0]?.toUpperCase() ?? ''}${text.slice(1)}`;
  return /[.!?]$/.test(first) ? first : `${first}.`;
};

export const addHelp = (program: Command, texts: HelpTexts) => {
  for (const command of everyCommand(program)) {
    if (command === program) {
      continue;
    }
    const path = pathOf(command);
    const text = texts[path];
    command.summary(command.summary() || command.description());
    command.description(
      [sentence(command.description()), ...(text?.about ? [text.about] : [])].join('\n\n'),
    );
    if (text) {
      command.addHelpText('after', examplesText(text.examples));
    }
    if (command.parent === program) {
      command.helpGroup(groups[command.name()] ?? 'Events and operation:');
    }
    command.addHelpText('after', '\nOptions of every command: sluice --help');
  }
};

const examplesText = (examples: readonly string[]) =>
  `\nExamples:\n${examples.map(example => `  sluice ${example}`).join('\n')}`;
