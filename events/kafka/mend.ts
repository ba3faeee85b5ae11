/**
Mend: takes a fault out of kafkajs 2.2.4. Each of its connections checks for requests that wait to be sent, also when none does:
by a timer of a negative time, which Node takes for 1 ms and, from version 24 on, warns of. An idle consumer would wake a
thousand times a second (tulios/kafkajs#1751).

In: nothing. Out: the check is made only while a request waits. A kafkajs that has no such method is left as it is.
*/
type RequestQueue = {
  pending: unknown[];
  throttledUntil: number;
  throttleCheckTimeoutId: NodeJS.Timeout | null;
  checkPendingRequests(): void;
  scheduleCheckPendingRequests(): void;
};

/** As kafkajs has it for requests that wait for others to be answered. */
const checkMs = 10;

// A constant, and no literal in the import: the file has no types.
const requestQueueFile: string = 'kafkajs/src/network/requestQueue/index.js';

let mended: Promise<void> | undefined;

const mend = async () => {
  const {default: queue} = (await import(requestQueueFile)) as {default: {prototype: RequestQueue}};
  if (typeof queue.prototype.scheduleCheckPendingRequests !== 'function') {
    return;
  }
  queue.prototype.scheduleCheckPendingRequests = function scheduleCheckPendingRequests() {
    if (this.throttleCheckTimeoutId || this.pending.length === 0) {
      return;
    }
    this.throttleCheckTimeoutId = setTimeout(
      () => {
        this.throttleCheckTimeoutId = null;
        this.checkPendingRequests();
      },
      Math.max(this.throttledUntil - Date.now(), checkMs),
    );
  };
};

export const mendKafkajs = (): Promise<void> => {
  mended ??= mend();
  return mended;
};
