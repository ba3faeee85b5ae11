/**
Parse error: a word that is no command of a group reaches the group's usual command, as one argument too many. Here it is told that it
may be a command that was misspelt.
*/
import type {Command} from 'commander';
import {everyCommand} from './globals.ts';
import {suggest} from './suggest.ts';

export const explainExcess = (program: Command) => {
  for (const group of everyCommand(program)) {
    for (const command of group.commands) {
      command.configureOutput({
        ...command.configureOutput(),
        outputError(text, write) {
          const word = /too many arguments/.test(text) ? command.args[0] : undefined;
          const words = group.commands.map(one => one.name());
          const [found] = word === undefined || group === program ? [] : suggest(word, words);
          write(found === undefined ? text : `${text}(Did you mean ${group.name()} ${found}?)\n`);
        },
      });
    }
  }
};
