/** Events: `sluice events send|tail|replay`, the events that everything in Sluice travels in. */
import type {Command} from 'commander';
import type {Surroundings} from '../program.ts';
import type {Context} from '../shell/context.ts';
import {replayCommand} from './replay.ts';
import {sendCommand} from './send.ts';
import {tailCommand} from './tail.ts';

export const eventsCommand = (program: Command, context: Context, surroundings: Surroundings) => {
  const events = program.command('events').description('sends events, shows and replays them');
  sendCommand(events, context, surroundings);
  tailCommand(events, context, surroundings);
  replayCommand(events, context, surroundings.environment);
};
