/**
Trim: what packages do at their start that no function needs, taken out of the bundles.

In: an esbuild build. Out: the same packages without these parts; what is left out and used all the same says so by an error.
*/
import assert from 'node:assert';
import {readFileSync} from 'node:fs';
import type {Plugin} from 'esbuild';

/** What is required, by which package: what it is for. Each is loaded at a start and used by none of our calls. */
const leftOut: Readonly<Record<string, {by: RegExp; because: string}>> = {
  'iconv-lite': {by: /[\\/](body-parser|raw-body)[\\/]/, because: 'bodies are read as bytes'},
  qs: {by: /[\\/](express|body-parser)[\\/]/, because: "express's query parser is the simple one"},
  send: {by: /[\\/](express|serve-static)[\\/]/, because: 'no files are served'},
  'serve-static': {by: /[\\/]express[\\/]/, because: 'no files are served'},
  'thread-stream': {by: /[\\/]pino[\\/]/, because: 'lines are written by the process itself'},
};

/** `get` and not a plain error: a package may ask whether there is something. */
const absentee = (name: string, because: string) =>
  `const refuse = () => {
    throw new Error(${JSON.stringify(`${name} is left out of the image: ${because}`)});
  };
  module.exports = new Proxy(function leftOut() {}, {get: refuse, apply: refuse, construct: refuse});`;

const absent: Plugin = {
  name: 'left-out',
  setup(build) {
    build.onResolve({filter: new RegExp(`^(${Object.keys(leftOut).join('|')})$`)}, asked => {
      const {by} = leftOut[asked.path] as {by: RegExp};
      return by.test(asked.importer) ? {path: asked.path, namespace: 'left-out'} : undefined;
    });
    build.onLoad({filter: /.*/, namespace: 'left-out'}, ({path}) => ({
      contents: absentee(path, (leftOut[path] as {because: string}).because),
    }));
  },
};

/** Looks at the terminal, colours and the environment for lines that nobody asked for. */
const silent: Plugin = {
  name: 'silent',
  setup(build) {
    build.onResolve({filter: /^debug$/}, () => ({path: 'debug', namespace: 'silent'}));
    build.onLoad({filter: /.*/, namespace: 'silent'}, () => ({
      contents: `const silent = () => Object.assign(() => {}, {enabled: false, extend: silent});
        module.exports = Object.assign(silent, {default: silent});`,
    }));
  },
};

/** Of 2,500 types, each sorted in at the start, those that an answer of ours can have. */
const types =
  /^(text\/|application\/(json|problem\+json|x-ndjson|x-www-form-urlencoded|octet-stream|cloudevents.*|yaml|pdf)$)/;
const small: Plugin = {
  name: 'media-types',
  setup(build) {
    build.onLoad({filter: /[\\/]mime-db[\\/]db\.json$/}, ({path}) => {
      const all = JSON.parse(readFileSync(path, 'utf8')) as Record<string, unknown>;
      const kept = Object.entries(all).filter(([type]) => types.test(type));
      return {contents: JSON.stringify(Object.fromEntries(kept)), loader: 'json'};
    });
  },
};

/** body-parser with the one parser that is used; it asks for the others when it is loaded. */
const rawOnly: Plugin = {
  name: 'raw-only',
  setup(build) {
    build.onLoad({filter: /[\\/]body-parser[\\/]index\.js$/}, () => ({
      contents: `exports.raw = require('./lib/types/raw');`,
    }));
  },
};

const kafkajs: Plugin = {
  name: 'kafkajs',
  setup(build) {
    // At run time `events/kafka/mend.ts` puts ours in its place, which it cannot in a bundle.
    build.onLoad(
      {filter: /[\\/]kafkajs[\\/]src[\\/]producer[\\/]groupMessagesPerPartition\.js$/},
      () => ({
        contents: `module.exports = require('./events/kafka/grouping.ts').group;`,
        resolveDir: build.initialOptions.absWorkingDir ?? '.',
      }),
    );
  },
};

/** Of undici our programs use what sends; what it also has (fetch, mocks, caches, web sockets) is most of its start. */
const senders = /^\.\/lib\/(core|api|global|dispatcher\/(client|dispatcher|pool|agent))(\/|$|\.)/;

/**
For programs, not for packages that are loaded later, which may use all of undici. Its index hands on parts of what is left out, so
those may be asked for; only their use is an error.
*/
export const sendersOnly: Plugin = {
  name: 'senders-only',
  setup(build) {
    build.onResolve({filter: /^\.\/lib\//}, ({path, importer}) => {
      const isOther = /[\\/]node_modules[\\/]undici[\\/]index\.js$/.test(importer);
      return isOther && !senders.test(path) && !/symbols|util/.test(path)
        ? {path, namespace: 'not-a-sender'}
        : undefined;
    });
    build.onLoad({filter: /.*/, namespace: 'not-a-sender'}, ({path}) => ({
      contents: `const refuse = () => {
          throw new Error(${JSON.stringify(`undici's ${path} is left out of the image`)});
        };
        const part = new Proxy(function leftOut() {}, {get: () => part, apply: refuse, construct: () => part});
        module.exports = part;`,
    }));
  },
};

/** Files of packages with a part of their text replaced; one that has it no more ends the build. */
const mends: ReadonlyArray<Readonly<{file: RegExp; from: string; to: string}>> = [
  {
    // Node's HTTP/2 takes longer to load than all of undici, and is for servers that ask for it.
    file: /[\\/]undici[\\/]lib[\\/]dispatcher[\\/]client\.js$/,
    from: "const connectH2 = require('./client-h2.js')",
    to: "const connectH2 = (...args) => require('./client-h2.js')(...args)",
  },
  {
    file: /[\\/]body-parser[\\/]lib[\\/]read\.js$/,
    from: "const zlib = require('node:zlib')",
    to: "const zlib = new Proxy({}, {get: (_none, name) => require('node:zlib')[name], has: () => true})",
  },
  {
    file: /[\\/]pino[\\/]lib[\\/]tools\.js$/,
    from: "const { isMainThread } = require('worker_threads')",
    to: 'const isMainThread = true',
  },
];

const mended: Plugin = {
  name: 'mended',
  setup(build) {
    for (const {file, from, to} of mends) {
      build.onLoad({filter: file}, ({path}) => {
        const text = readFileSync(path, 'utf8');
        if (!text.includes(from)) {
          throw new Error(`expected ${path} to have "${from}"`);
        }
        return {contents: text.replace(from, () => to)};
      });
    }
  },
};

/** What is evaluated at its first use, and by whom: a start may need none of it. By name what is imported from it. */
const late: Readonly<Record<string, {by: RegExp; names: readonly string[]}>> = {
  // Packages assert a thing or two at each call; what Node compares and prints values with is for when one is not true.
  assert: {by: /[\\/](undici|sonic-boom)[\\/]/, names: Object.keys(assert)},
  'ajv/dist/2020.js': {by: /\.ts$/, names: ['Ajv2020']},
  'ajv-formats': {by: /\.ts$/, names: ['default']},
  // What is YAML in the tree is JSON in the image.
  yaml: {by: /\.ts$/, names: ['parse']},
};

const evaluatedLate: Plugin = {
  name: 'late',
  setup(build) {
    build.onResolve({filter: new RegExp(`^(node:)?(${Object.keys(late).join('|')})$`)}, asked => {
      const name = asked.path.replace(/^node:/, '');
      const {by} = late[name] as {by: RegExp};
      return asked.namespace !== 'late' && by.test(asked.importer)
        ? {path: name, namespace: 'late', pluginData: {resolveDir: asked.resolveDir}}
        : undefined;
    });
    build.onLoad({filter: /.*/, namespace: 'late'}, ({path, pluginData}) => ({
      contents: `const real = () => require(${JSON.stringify(path)});
        module.exports = (value, ...rest) => void (value || real()(value, ...rest));
        for (const name of ${JSON.stringify(late[path]?.names)}) {
          Object.defineProperty(module.exports, name, {get: () => real()[name], enumerable: true});
        }`,
      resolveDir: pluginData.resolveDir,
    }));
  },
};

/** `pg-crypto.ts` says why. */
const passwords: Plugin = {
  name: 'passwords',
  setup(build) {
    build.onLoad({filter: /[\\/]pg[\\/]lib[\\/]crypto[\\/]utils\.js$/}, () => ({
      contents: `module.exports = require('./knative/image/pg-crypto.ts');`,
      resolveDir: build.initialOptions.absWorkingDir ?? '.',
    }));
  },
};

export const trimmed: readonly Plugin[] = [
  ...[absent, silent, small, rawOnly],
  ...[mended, evaluatedLate, passwords, kafkajs],
];
