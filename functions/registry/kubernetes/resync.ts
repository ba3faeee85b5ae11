/**
Resync: looks again at every object that is there, and at every one that the registry has an endpoint of: what no event told.

In: nothing. Out: what was done and what could not be. It takes nothing out by itself: each object is read, and what cannot be read stays.
Servers that run are asked, whether they generate anything. It begins anywhere in the list, so that one that is cut off
leaves out others the next time.
*/
import type {RegistryStore} from '../store.ts';
import type {Follow, Outcome} from './follow.ts';
import type {Listed} from './list.ts';
import {keyOfRef, refOf} from './objects.ts';

export type Resynced = Readonly<{
  looked: number;
  /** What was done, and what does not count and why. */
  outcomes: readonly Outcome[];
  problems: readonly string[];
}>;

const page = 500;

export const createResync = ({
  store,
  follow,
  list,
  atOnce = 2,
  random = Math.random,
}: {
  store: Pick<RegistryStore, 'list'>;
  follow: Follow;
  list: () => Promise<Listed>;
  /** Each holds a connection to PostgreSQL while Kubernetes is asked. */
  atOnce?: number;
  random?: () => number;
}) => {
  let running: Promise<Resynced> | undefined;

  const registered = async () => {
    const refs: string[] = [];
    for (let models = await store.list({}, page); models.length > 0; ) {
      refs.push(
        ...models.flatMap(({endpoints}) => endpoints.flatMap(({object}) => object?.ref ?? [])),
      );
      const last = models.length < page ? undefined : models.at(-1);
      models = last ? await store.list({after: last}, page) : [];
    }
    return refs;
  };

  const run = async (): Promise<Resynced> => {
    const {keys, problems} = await list();
    const refs = [...new Set([...keys.map(refOf), ...(await registered())])].sort();
    const outcomes: Outcome[] = [];
    const failed: string[] = [];
    const first = Math.floor(random() * refs.length);
    const left = [...refs.slice(first), ...refs.slice(0, first)].values();
    const work = async () => {
      for (const ref of left) {
        const key = keyOfRef(ref);
        try {
          outcomes.push(...(key ? [await follow(key, {thorough: true})] : []));
        } catch (error) {
          failed.push(`${ref}: ${(error as Error).message}`);
        }
      }
    };
    await Promise.all(Array.from({length: atOnce}, work));
    return {
      looked: refs.length,
      outcomes: outcomes.filter(({did, reason}) => did !== 'nothing' || reason !== undefined),
      problems: [...problems, ...failed],
    };
  };

  /** Whoever asks while it runs gets the same answer. */
  return function resync(): Promise<Resynced> {
    running ??= run().finally(() => {
      running = undefined;
    });
    return running;
  };
};

export type Resync = ReturnType<typeof createResync>;
