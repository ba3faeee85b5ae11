/**
Arrows: which part of the house may import which.

In: every source file with what it imports. Out: the imports that break a rule, each with the rule. Types count: who shares
a type shares a contract.
*/
export type SourceFile = Readonly<{file: string; imports: readonly string[]}>;
export type Violation = Readonly<{file: string; imported: string; rule: string}>;

/** Whose pure cores a function has in its own process, because a hop to them would cost too much a request. */
const coresOf: Readonly<Record<string, readonly string[]>> = {
  'functions/gateway': ['auth', 'budget', 'registry'],
  // Every event is brought by a key, and a revoked one must count as soon as at the gateway.
  'functions/events-ingress': ['auth'],
};

const normalise = (file: string, specifier: string): string => {
  const parts = file.split('/').slice(0, -1);
  for (const part of specifier.split('/')) {
    if (part === '..') {
      if (parts.pop() === undefined) {
        return '..';
      }
    } else if (part !== '.') {
      parts.push(part);
    }
  }
  return parts.join('/');
};

const areaOf = (path: string) => {
  const [first = '', second = ''] = path.split('/');
  return first === 'functions' && path.split('/').length > 2 ? `functions/${second}` : first;
};

/** The areas that a file may import, beside npm packages and Node itself. */
const allowedFor = (area: string): readonly string[] => {
  if (area.startsWith('functions/')) {
    return ['events', area, ...(coresOf[area] ?? []).map(name => `functions/${name}`)];
  }
  return area === 'knative' ? ['events', 'schemas', 'knative'] : [area];
};

const check = (file: string, specifier: string): string | undefined => {
  if (/^[/\\]|^(file|https?|data):/.test(specifier)) {
    return 'an import is relative, a package or node:';
  }
  if (!specifier.startsWith('.')) {
    return undefined;
  }
  const imported = normalise(file, specifier);
  const area = areaOf(file);
  const target = areaOf(imported);
  if (target === '..') {
    return 'nothing outside of the project is imported';
  }
  if (area === 'test') {
    return undefined;
  }
  if (target === 'test') {
    return 'only tests import tests';
  }
  if (/^functions\/[^/]+\/(.+\/)?main\.ts$/.test(imported)) {
    return "nothing imports a function's shell";
  }
  const allowed = allowedFor(area);
  return allowed.includes(target)
    ? undefined
    : `${area} imports only ${allowed.join(', ')} and packages`;
};

export const findViolations = (files: readonly SourceFile[]): Violation[] =>
  files.flatMap(({file, imports}) =>
    imports.flatMap(imported => {
      const rule = check(file, imported);
      return rule === undefined ? [] : [{file, imported, rule}];
    }),
  );
