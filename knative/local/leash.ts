/**
Leash: ends a function whose runner is gone. Loaded into each child before the function itself.

A function that listens drains by itself when the channel to its parent closes (`events/listen.ts`); one that is still
starting has no ear for that yet, and would stay for ever. So does one whose drain hangs.
*/
const graceMs = Number(process.env.SLUICE_LEASH_MS ?? 20_000);

process.once('disconnect', () => {
  setTimeout(() => process.exit(1), graceMs);
});
// Listening to the channel is no reason to stay alive.
process.channel?.unref();
