/**
Attribute memo: takes a cost out of OpenTelemetry's metrics SDK: for every measurement it sorts the attributes and writes them as
JSON, to find the cell that they belong to.

In: nothing. Out: for attributes that are frozen, hence the same for ever, this is done once an object. An SDK that is built otherwise is
left as it is.
*/

type Cells = {get(attributes: object, hash?: string): unknown; readonly _hash: unknown};
type Hash = (attributes: object) => string;

// A constant, and no literal in the import: the file has no types.
const cellsFile: string = '@opentelemetry/sdk-metrics/build/src/state/HashMap.js';

let remembered: Promise<void> | undefined;

const remember = async () => {
  const {default: found} = (await import(cellsFile)) as {
    default: {AttributeHashMap?: {prototype: Cells; new (): Cells}};
  };
  const {AttributeHashMap: cells} = found;
  if (typeof cells?.prototype.get !== 'function' || typeof new cells()._hash !== 'function') {
    return;
  }
  const hashes = new WeakMap<object, string>();
  const {get} = cells.prototype;
  cells.prototype.get = function getOnce(this: Cells, attributes, given) {
    let hash = given ?? hashes.get(attributes);
    if (hash === undefined) {
      hash = (this._hash as Hash)(attributes);
      if (Object.isFrozen(attributes)) {
        hashes.set(attributes, hash);
      }
    }
    return get.call(this, attributes, hash);
  };
};

export const rememberAttributes = (): Promise<void> => {
  // Without it measurements cost more, and are the same.
  remembered ??= remember().catch(() => {});
  return remembered;
};
