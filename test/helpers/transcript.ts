/**
Transcript: what commands printed, as a page for a stranger, and whether two such pages are of one shape.

In: steps with what was typed and what came. Out: Markdown in which ids, instants and secrets are made up, in the order in which they
came, so that it changes only when the output does.
*/
export type Step = Readonly<{
  /** What a reader should know before it. */
  say?: string;
  /** As typed. */
  command: string;
  output: string;
  code: number;
}>;

const uuid = /\b[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}\b/g;
const instant = /\b\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(?:\.\d{1,9})?Z/g;
const base = Date.parse('2026-11-21T10:00:00.000Z');
const minuteMs = 60_000;
const sessionMs = 20 * minuteMs;

/** Replaces every distinct match by what `write` makes of its number, as long as it was. */
const numbered = (
  text: string,
  pattern: RegExp,
  write: (index: number, match: string) => string,
): string => {
  const known = new Map<string, string>();
  return text.replace(pattern, match => {
    const found = known.get(match) ?? write(known.size + 1, match);
    known.set(match, found);
    return found;
  });
};

const times = (text: string): string => {
  const found = [...new Set(text.match(instant) ?? [])].sort();
  const first = Date.parse(found[0] ?? new Date(base).toISOString());
  const soon = found.filter(one => Date.parse(one) - first < sessionMs);
  return text.replace(instant, one => {
    const rank = soon.indexOf(one);
    const later = Math.round((Date.parse(one) - first) / minuteMs) * minuteMs;
    return new Date(base + (rank >= 0 ? rank * 1_000 : later)).toISOString();
  });
};

/** Ids, instants, secrets, ports and durations that mean nothing tomorrow. */
export const settled = (text: string): string => {
  const withIds = numbered(
    text,
    uuid,
    index => `0192f0c1-7a00-7000-8000-${index.toString(16).padStart(12, '0')}`,
  );
  const withPublicIds = numbered(
    withIds,
    /\b[a-z2-7]{16}\b/g,
    index => `publicid${String(index).padStart(8, 'x')}`,
  );
  return times(
    withPublicIds
      .replace(/(s?sk-[a-z0-9]{16}-)[A-Za-z0-9_-]{43}\b/g, `$1${'x'.repeat(43)}`)
      .replace(/#[A-Za-z0-9_-]{43}\b/g, `#${'x'.repeat(43)}`)
      .replace(/\b[0-9a-f]{32}\b/g, '4bf92f3577b34da6a3ce929d0e0e4736')
      .replace(/"created":\d+/g, '"created":1795255212'),
  );
};

/** One block of typed and printed lines for all that stands under one sentence. `names`: what is called otherwise in the page. */
export const renderSteps = (
  steps: readonly Step[],
  names: Readonly<Record<string, string>> = {},
): string => {
  const blocks: {say: string | undefined; lines: string[]}[] = [];
  for (const {say, command, output, code} of steps) {
    const text = `$ ${command}\n${output}${code === 0 ? '' : `(exit code ${code})\n`}`.trimEnd();
    const last = blocks.at(-1);
    if (last && say === undefined) {
      last.lines.push(text);
    } else {
      blocks.push({say, lines: [text]});
    }
  }
  const pages = blocks.map(({say, lines}) =>
    [...(say === undefined ? [] : [say]), `\`\`\`console\n${lines.join('\n\n')}\n\`\`\``].join(
      '\n\n',
    ),
  );
  const named = Object.entries(names).reduce(
    (text, [name, made]) => replacePadded(text, name, made),
    pages.join('\n\n'),
  );
  return settled(named);
};

/** In a table what follows stays where it is. */
const replacePadded = (text: string, name: string, made: string): string => {
  const padded = made.padEnd(name.length);
  return text.replaceAll(`${name}  `, `${padded}  `).replaceAll(name, made);
};

/** What of a page has to stay: its words and the order of its lines, not its widths and figures. */
export const shapeOf = (page: string): string =>
  page
    .replace(uuid, 'ID')
    .replace(instant, 'TIME')
    .replace(/publicid[x\d]{8}/g, 'PUBLIC')
    .replace(/\d+/g, 'N')
    .replace(/N\.N/g, 'N')
    .replace(/\b(ahead of|behind) /g, 'off ')
    .replace(/\b[GM]iB\b/g, 'bytes')
    .replace(/ +/g, ' ')
    .replace(/ $/gm, '');

const marks = (name: string) => [`<!-- ${name} -->`, `<!-- end of ${name} -->`] as const;

export const sectionOf = (document: string, name: string): string => {
  const [start, end] = marks(name);
  const from = document.indexOf(start);
  const to = document.indexOf(end);
  if (from < 0 || to < 0) {
    throw new Error(`the document has no section ${name}`);
  }
  return document.slice(from + start.length, to).trim();
};

export const withSection = (document: string, name: string, text: string): string => {
  const [start, end] = marks(name);
  const from = document.indexOf(start) + start.length;
  return `${document.slice(0, from)}\n${text}\n${document.slice(document.indexOf(end))}`;
};
