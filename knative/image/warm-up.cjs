/**
Warm-up: loaded before a program that fills the compile cache, by `warm.ts`.

The process was started with a fixed seed for V8's hashes, or the cache would be other bytes each time. V8 counts that among its flags
and takes no cache that was made with other flags than it has: so the flag is taken back before the cache is opened. What has
the seed is made by then.
*/
const {enableCompileCache} = require('node:module');
const {setFlagsFromString} = require('node:v8');

setFlagsFromString('--hash-seed=0');
setFlagsFromString('--random-seed=0');
enableCompileCache({directory: process.env.WARM_UP_CACHE, portable: true});
