/**
Warm-up: loaded before a program whose code is to be kept, by `warm.ts`.

When it is told to, or the program ends, it writes the code of every bundle that was loaded, with all functions that ran by then: a bundle
that was only loaded has next to none, since V8 compiles a function when it is called. Told by a signal of its own: which functions a drain
calls depends on how long it takes.

The process was started with a fixed seed for V8's hashes, or the code would be other bytes each time. V8 counts that among its flags
and takes no code that was made with other flags than it has: so the flags are taken back. What has the seed is made by then.
*/
const {writeFileSync} = require('node:fs');
const {basename, join} = require('node:path');
const {setFlagsFromString} = require('node:v8');
const vm = require('node:vm');

setFlagsFromString('--hash-seed=0');
setFlagsFromString('--random-seed=0');
// What was called once, and not for a while, would be forgotten; what is called often is compiled by threads, and noted to be, sooner or later.
const unsteady = ['flush-bytecode', 'sparkplug', 'maglev', 'turbofan'];
for (const flag of unsteady) {
  setFlagsFromString(`--no-${flag}`);
}

const scripts = new Map();
vm.Script = class extends vm.Script {
  constructor(source, options) {
    super(source, options);
    scripts.set(basename(options.filename), this);
  }
};

process.once('SIGUSR2', () => process.exit(0));
process.once('exit', () => {
  for (const flag of unsteady) {
    setFlagsFromString(`--${flag}`);
  }
  for (const [file, script] of scripts) {
    writeFileSync(join(process.env.WARM_UP_CACHE, file), script.createCachedData());
  }
});
