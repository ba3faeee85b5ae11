/**
Mend: takes three faults out of kafkajs 2.2.4.

Each of its connections checks for requests that wait to be sent, also when none does:
by a timer of a negative time, which Node takes for 1 ms and, from version 24 on, warns of. An idle consumer would wake a
thousand times a second (tulios/kafkajs#1751).

It puts the records of a partition together by copying the list for each: of 500 records of one organisation it copies 125,000.

And it writes each record of a produce request six times over, which costs three times what writing it once does (`encode.ts`).

In: nothing. Out: the check is made only while a request waits; lists of records grow; produce requests that are not compressed are
written by us. A kafkajs that is built otherwise is left as it is; so is how one that was loaded before puts records together.
*/
import {createRequire} from 'node:module';
import {encodeProduce, type ProduceRequest} from './encode.ts';
import {group} from './grouping.ts';

type RequestQueue = {
  pending: unknown[];
  throttledUntil: number;
  throttleCheckTimeoutId: NodeJS.Timeout | null;
  checkPendingRequests(): void;
  scheduleCheckPendingRequests(): void;
};

/** As kafkajs has it for requests that wait for others to be answered. */
const checkMs = 10;

type Made = {request: {encode: () => Promise<unknown>}; response: unknown};
type Asked = ProduceRequest & {compression?: number};
type Produce = {protocol(of: {version: number}): (asked: Asked) => Made};

// Constants, and no literals in the imports: the files have no types.
const requestQueueFile: string = 'kafkajs/src/network/requestQueue/index.js';
const groupFile: string = 'kafkajs/src/producer/groupMessagesPerPartition.js';
const produceFile: string = 'kafkajs/src/protocol/requests/produce/index.js';

let mended: Promise<void> | undefined;

const mendQueue = async () => {
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

/** Whoever loads it from now on gets ours: it is a function by itself, so there is nothing to change in it. */
const mendGrouping = () => {
  const require = createRequire(import.meta.url);
  let theirs: unknown;
  try {
    theirs = require(groupFile);
  } catch {
    // In a bundle, which has `group` in its place already (`knative/image/trim.ts`).
    return;
  }
  const loaded = require.cache[require.resolve(groupFile)];
  if (loaded && typeof theirs === 'function') {
    loaded.exports = group;
  }
};

const mendProduce = async () => {
  const {default: produce} = (await import(produceFile)) as {default: Produce};
  const {protocol} = produce;
  if (typeof protocol !== 'function') {
    return;
  }
  produce.protocol = ({version}) => {
    const make = protocol({version});
    return version < 3 || version > 7
      ? make
      : asked => {
          const made = make(asked);
          const encode = async () => {
            const bytes = encodeProduce(asked);
            // What kafkajs takes for one of its encoders.
            return {buf: bytes, buffer: bytes};
          };
          return asked.compression ? made : {...made, request: {...made.request, encode}};
        };
  };
};

export const mendKafkajs = (): Promise<void> => {
  if (!mended) {
    mendGrouping();
    mended = Promise.all([mendQueue(), mendProduce()]).then(() => {});
  }
  return mended;
};
