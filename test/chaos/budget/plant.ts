/**
Plant: loaded before a process of ours, plants the fault that STORM_BREAK names into the sources while they are loaded.

Its texts are looked for at once, whether or not this process loads the file: a fault that cannot be planted ends it.
*/
import {registerHooks} from 'node:module';
import {type BreakName, plantedSources} from './breaks.ts';

const sources = plantedSources(process.env.STORM_BREAK as BreakName);

registerHooks({
  load(url, context, nextLoad) {
    const source = sources.get(url);
    const loaded = nextLoad(url, context);
    return source === undefined ? loaded : {...loaded, source};
  },
});
