/** In memory: our broker beside an array: events written as JSON and read again, as neither may share an object. */
import {createMemoryBroker} from '../../../events/brokers/memory.ts';
import {type Contender, parsed, type Started, startOurs} from './contender.ts';

const ours = async (started: Started): Promise<Contender> => ({
  ...(await startOurs(createMemoryBroker({keepDeadLetters: async () => {}}), started)),
  async clean() {},
});

const array = async ({load: {batch}, onEvent}: Started): Promise<Contender> => {
  let queue: string[] = [];
  const take = () => {
    for (const text of queue.splice(0, batch)) {
      onEvent(parsed(text));
    }
    if (queue.length > 0) {
      setImmediate(take);
    }
  };
  return {
    async publish(events) {
      if (queue.length === 0) {
        setImmediate(take);
      }
      for (const event of events) {
        queue.push(JSON.stringify(event));
      }
    },
    async clean() {},
    async close() {
      queue = [];
    },
  };
};

export const memoryContenders = {ours, array};
