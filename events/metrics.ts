/**
Metrics: counters, gauges and histograms in plain cells, written out in the Prometheus text format.

A cell is looked up once by its labels and then only added to, because a client library's look-up at every observation
costs more than the gateway's whole admission. Labels come from small, known sets; a label that a client could choose would
make cells without bound, so a family stops at `cellsMax` and counts the rest in one cell `other`.
*/
type Labels = Readonly<Record<string, string>>;
type Cell = {add(amount?: number): void; set(value: number): void};
type Distribution = {observe(value: number): void};

const cellsMax = 1_000;
const defaultBuckets = [
  0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60, 120, 300, 600,
];

const escapeLabel = (value: string) =>
  value.replace(/[\\"\n]/g, found => (found === '\n' ? '\\n' : `\\${found}`));
const render = (labels: Labels, more: Labels = {}) => {
  const pairs = Object.entries({...labels, ...more}).map(
    ([name, value]) => `${name}="${escapeLabel(value)}"`,
  );
  return pairs.length === 0 ? '' : `{${pairs.join(',')}}`;
};

export const createMetrics = () => {
  const families = new Map<string, () => string>();

  const cells = <Value>(make: () => Value) => {
    const byLabels = new Map<string, {labels: Labels; value: Value}>();
    const at = (labels: Labels): Value => {
      const key = JSON.stringify(labels);
      let cell = byLabels.get(key);
      if (!cell) {
        const other = Object.fromEntries(Object.keys(labels).map(name => [name, 'other']));
        if (byLabels.size >= cellsMax && key !== JSON.stringify(other)) {
          return at(other);
        }
        cell = {labels, value: make()};
        byLabels.set(key, cell);
      }
      return cell.value;
    };
    return {at, all: () => [...byLabels.values()]};
  };

  const numeric = (kind: 'counter' | 'gauge') => (name: string, help: string) => {
    const family = cells(() => ({value: 0}));
    families.set(name, () =>
      family
        .all()
        .map(({labels, value}) => `${name}${render(labels)} ${value.value}\n`)
        .reduce((text, line) => text + line, `# HELP ${name} ${help}\n# TYPE ${name} ${kind}\n`),
    );
    return (labels: Labels = {}): Cell => {
      const cell = family.at(labels);
      return {
        add(amount = 1) {
          cell.value += amount;
        },
        set(value) {
          cell.value = value;
        },
      };
    };
  };

  const histogram = (name: string, help: string, buckets: readonly number[] = defaultBuckets) => {
    const family = cells(() => ({counts: new Float64Array(buckets.length + 1), sum: 0}));
    families.set(name, () => {
      let text = `# HELP ${name} ${help}\n# TYPE ${name} histogram\n`;
      for (const {labels, value} of family.all()) {
        let count = 0;
        for (const [index, bound] of [...buckets, Number.POSITIVE_INFINITY].entries()) {
          count += value.counts[index] ?? 0;
          const le = bound === Number.POSITIVE_INFINITY ? '+Inf' : String(bound);
          text += `${name}_bucket${render(labels, {le})} ${count}\n`;
        }
        text += `${name}_sum${render(labels)} ${value.sum}\n${name}_count${render(labels)} ${count}\n`;
      }
      return text;
    });
    return (labels: Labels = {}): Distribution => {
      const cell = family.at(labels);
      return {
        observe(value) {
          let index = 0;
          while (index < buckets.length && value > (buckets[index] as number)) {
            index += 1;
          }
          cell.counts[index] = (cell.counts[index] ?? 0) + 1;
          cell.sum += value;
        },
      };
    };
  };

  return {
    counter: numeric('counter'),
    gauge: numeric('gauge'),
    histogram,
    /** The whole page of `/metrics`. */
    text: () => [...families.values()].map(write => write()).join(''),
  };
};

export type Metrics = ReturnType<typeof createMetrics>;
