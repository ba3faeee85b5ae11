/**
Store in memory: what the contract suite holds PostgreSQL to. Changes run one after the other, each on a copy that replaces
the state at its end.
*/
import type {Event} from '../../events/event.ts';
import type {Model} from './model.ts';
import type {ModelName, RegistryStore, RegistryTransaction} from './store.ts';

type State = {models: Map<string, Model>; revision: bigint; events: Map<string, Event>};

export const createMemoryStore = (): RegistryStore & {events(): Event[]} => {
  let state: State = {models: new Map(), revision: 0n, events: new Map()};
  let last: Promise<unknown> = Promise.resolve();
  return {
    list: async ({environment, status, after}, limit) =>
      [...state.models.values()]
        .filter(model => environment === undefined || model.environment === environment)
        .filter(model => status === undefined || model.status === status)
        .filter(model => !after || placeOf(model) > placeOf(after))
        .sort((a, b) => (placeOf(a) < placeOf(b) ? -1 : 1))
        .slice(0, limit),
    find: async id => state.models.get(id),
    known: async names => {
      const all = [...state.models.values()];
      return names.filter(({environment, name}) =>
        all.some(model => model.environment === environment && model.name === name),
      );
    },
    findByEndpoint: async endpoint =>
      [...state.models.values()].find(model => model.endpoints.some(({id}) => id === endpoint)),
    change(work) {
      const result = last.then(async () => {
        const copy = {...state, models: new Map(state.models), events: new Map(state.events)};
        const done = await work(createTransaction(copy));
        state = copy;
        return done;
      });
      last = result.catch(() => {});
      return result;
    },
    events: () => [...state.events.values()],
  };
};

const placeOf = ({environment, name}: ModelName) => `${environment} ${name}`;

const createTransaction = (state: State): RegistryTransaction => ({
  async lock(by) {
    return 'id' in by
      ? state.models.get(by.id)
      : [...state.models.values()].find(
          model => model.name === by.name && model.environment === by.environment,
        );
  },
  async lockObject(ref) {
    return [...state.models.values()].find(({endpoints}) =>
      endpoints.some(({object}) => object?.ref === ref),
    );
  },
  async save(model) {
    const endpoints = [...model.endpoints].sort((a, b) => (a.url < b.url ? -1 : 1));
    const before = state.models.get(model.id);
    state.models.set(model.id, {...model, endpoints});
    if (!before || visible(before) !== visible({...model, endpoints})) {
      state.revision += 1n;
    }
  },
  async remove(id) {
    if (state.models.delete(id)) {
      state.revision += 1n;
    }
  },
  revision: async () => state.revision,
  async emit(events) {
    for (const event of events) {
      if (!state.events.has(event.id)) {
        state.events.set(event.id, event);
      }
    }
  },
});

/** When a probe was is no change that anybody waits for. */
const visible = ({endpoints, ...model}: Model) =>
  JSON.stringify(
    [
      model,
      endpoints.map(
        ({healthAt: _at, healthReason: _reason, object: _object, ...endpoint}) => endpoint,
      ),
    ],
    (_, value) => (typeof value === 'bigint' ? String(value) : value),
  );
