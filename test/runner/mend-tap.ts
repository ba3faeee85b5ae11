/**
Mend TAP: loaded into AVA's own process before AVA (`--import`).

AVA 7.0.0's TAP reporter asks an error for its `originalError` in order to print it, but the errors that it makes itself, of
a timeout and of an exit in the middle of a test, have none: it crashes instead of naming the tests that hang. Here an
error that has none is its own. Tests run in other threads, where nothing is changed.
*/
import {isMainThread} from 'node:worker_threads';

if (isMainThread) {
  Object.defineProperty(Error.prototype, 'originalError', {
    configurable: true,
    get() {
      return this;
    },
    // Whoever sets one sets their own.
    set(value) {
      Object.defineProperty(this, 'originalError', {
        value,
        configurable: true,
        enumerable: true,
        writable: true,
      });
    },
  });
}
