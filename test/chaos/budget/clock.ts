/**
Clock: loaded before a gateway, lets its wall clock be stepped as an operator or a time server would.

In: a message `{stepMs}` from the parent. Out: `Date.now()` and `new Date()` show so much more or less from then on. The monotonic clock is
left alone, as a step leaves it.
*/
const RealDate = Date;
let offsetMs = 0;

class SteppedDate extends RealDate {
  constructor(...args: unknown[]) {
    super(...((args.length === 0 ? [RealDate.now() + offsetMs] : args) as [number]));
  }

  static override now() {
    return RealDate.now() + offsetMs;
  }
}

globalThis.Date = SteppedDate as DateConstructor;

process.on('message', (message: {stepMs?: number}) => {
  offsetMs += message.stepMs ?? 0;
});
// Listening for messages would keep a process alive whose parent waits for its end.
process.channel?.unref();
