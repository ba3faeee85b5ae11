/**
Store: the port to where models are kept. `store-postgres.ts` and `store-memory.ts` pass one contract suite.
*/
import type {Event} from '../../events/event.ts';
import type {Environment, Model, Status} from './model.ts';

export type ModelName = Readonly<{environment: Environment; name: string}>;
/** `after`: only what follows it in the list, whether there is one of that name or not. */
export type Filter = Readonly<{environment?: Environment; status?: Status; after?: ModelName}>;

export type RegistryTransaction = Readonly<{
  /** The model, locked until the transaction ends. By name also the absence of one is locked. */
  lock(by: {id: string} | {name: string; environment: Environment}): Promise<Model | undefined>;
  /**
  The name of the model that an object of Kubernetes has an endpoint of. The object, there or not, is locked until the transaction
  ends; the model is not: it is locked by its name, as by everybody else.
  */
  lockObject(ref: string): Promise<ModelName | undefined>;
  /** The whole model: its endpoints become those given, a price version that is new is added. */
  save(model: Model): Promise<void>;
  remove(id: string): Promise<void>;
  /** The number of the last change; after a save that changed something, of that. */
  revision(): Promise<bigint>;
  /** Sent when the transaction is done, never else; an id that was sent before is not sent again. */
  emit(events: readonly Event[]): Promise<void>;
}>;

export type RegistryStore = Readonly<{
  /** By environment and name. */
  list(filter: Filter, limit: number): Promise<Model[]>;
  find(id: string): Promise<Model | undefined>;
  /** Those of the given names that a model has, in any order. */
  known(names: readonly ModelName[]): Promise<ModelName[]>;
  findByEndpoint(endpoint: string): Promise<Model | undefined>;
  /** All of it or nothing. `actor`: who the audit says did it; nobody did what the registry finds by itself. */
  change<Result>(
    work: (transaction: RegistryTransaction) => Promise<Result>,
    actor?: string,
  ): Promise<Result>;
}>;
