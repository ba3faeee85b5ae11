/**
Config: reads a function's settings from its environment and complains about all of them at once, because a start that
fails five times for five reasons wastes five starts.

In: the environment and a reader a setting. Out: the settings, or a ConfigError whose message lists every complaint.
*/
type Environment = Readonly<Record<string, string | undefined>>;

/** Reads one setting: returns the value, or throws with what was expected. */
export type Reader<Value> = (text: string | undefined) => Value;

export class ConfigError extends Error {
  override readonly name = 'ConfigError';
  readonly complaints: readonly string[];

  constructor(complaints: readonly string[]) {
    super(
      `the configuration has ${complaints.length} fault(s):\n${complaints.map(line => `  ${line}`).join('\n')}`,
    );
    this.complaints = complaints;
  }
}

export const readConfig = <Settings extends Record<string, Reader<unknown>>>(
  environment: Environment,
  readers: Settings,
): {readonly [Name in keyof Settings]: ReturnType<Settings[Name]>} => {
  const complaints: string[] = [];
  const settings: Record<string, unknown> = {};
  for (const [name, read] of Object.entries(readers)) {
    try {
      settings[name] = read(environment[name] === '' ? undefined : environment[name]);
    } catch (error) {
      complaints.push(`${name}: ${(error as Error).message}`);
    }
  }
  if (complaints.length > 0) {
    throw new ConfigError(complaints);
  }
  return settings as {readonly [Name in keyof Settings]: ReturnType<Settings[Name]>};
};

const fallback = <Value>(
  text: string | undefined,
  value: Value | undefined,
  expected: string,
): Value => {
  if (text === undefined && value !== undefined) {
    return value;
  }
  throw new Error(
    `expected ${expected}, ${text === undefined ? 'but it is not set' : `got "${text}"`}`,
  );
};

export const string =
  (defaultValue?: string): Reader<string> =>
  text =>
    text ?? fallback(text, defaultValue, 'a text');

export const optional =
  <Value>(read: Reader<Value>): Reader<Value | undefined> =>
  text =>
    text === undefined ? undefined : read(text);

/** Not shown in the complaint: it would end in a log. */
export const secret =
  (minLength = 16): Reader<string> =>
  text => {
    if (text === undefined || text.length < minLength) {
      throw new Error(
        `expected a secret of at least ${minLength} characters, ${text === undefined ? 'but it is not set' : 'got a shorter one'}`,
      );
    }
    return text;
  };

export const integer =
  ({min, max, defaultValue}: {min: number; max: number; defaultValue?: number}): Reader<number> =>
  text => {
    // Number() would take spaces for 0 and 0x10 for 16.
    const value = text !== undefined && /^-?\d+$/.test(text) ? Number(text) : Number.NaN;
    return Number.isSafeInteger(value) && value >= min && value <= max
      ? value
      : fallback(text, defaultValue, `a whole number from ${min} to ${max}`);
  };

export const oneOf =
  <const Values extends readonly string[]>(
    values: Values,
    defaultValue?: Values[number],
  ): Reader<Values[number]> =>
  text =>
    text !== undefined && values.includes(text)
      ? text
      : fallback(text, defaultValue, `one of ${values.join(', ')}`);

export const url =
  ({
    protocols,
    defaultValue,
  }: {
    protocols: readonly string[];
    defaultValue?: string;
  }): Reader<string> =>
  text => {
    const value = text ?? defaultValue;
    if (value !== undefined && URL.canParse(value) && protocols.includes(new URL(value).protocol)) {
      return value;
    }
    // The value may hold a password, so it is not repeated.
    throw new Error(
      `expected a URL with ${protocols.join(' or ')}, ${text === undefined ? 'but it is not set' : 'got something else'}`,
    );
  };

/** Of web pages: scheme, host and port, as a browser writes them; `*` for all. */
export const origins: Reader<readonly string[]> = text => {
  const found = (text ?? '')
    .split(',')
    .map(each => each.trim())
    .filter(each => each !== '');
  for (const each of found) {
    // A star in a name is a name to a browser, and would let nobody in.
    const isOrigin =
      /^https?:[^*]+$/.test(each) && URL.canParse(each) && new URL(each).origin === each;
    if (each !== '*' && !isOrigin) {
      throw new Error(
        `expected origins like https://example.org, separated by commas, got "${each}"`,
      );
    }
  }
  return found;
};

export const databaseUrl = url({protocols: ['postgres:', 'postgresql:']});
export const port = integer({min: 0, max: 65_535, defaultValue: 8080});

/** Accepts the short names that deployments use. */
export const environment: Reader<'development' | 'staging' | 'production'> = text => {
  const aliases = {dev: 'development', uat: 'staging', prod: 'production'} as const;
  return oneOf(
    ['development', 'staging', 'production'],
    'development',
  )(
    text !== undefined && Object.hasOwn(aliases, text)
      ? aliases[text as keyof typeof aliases]
      : text,
  );
};
