/**
Return to: where a login leads. Only to a path of this host, whatever a browser, or a proxy that decodes, makes of the text.

In: what a link asked for. Out: the path, or the one that is meant when none is; a link that leads elsewhere is no reason to refuse a login.
*/
export const homePath = '/auth';
const base = 'http://host.invalid';
const charactersMax = 2_048;
/** Printable ASCII without the backslash, which browsers take for a slash. */
const form = /^\/[\x21-\x5b\x5d-\x7e]*$/;
/** A login that leads to a login would never end. */
const ends = /^\/auth\/(login|callback|link|logout)(\/|$)/;

export const localPath = (asked: unknown): string => {
  if (
    typeof asked !== 'string' ||
    asked.length > charactersMax ||
    !form.test(asked) ||
    !URL.canParse(asked, base)
  ) {
    return homePath;
  }
  const {origin, pathname} = new URL(asked, base);
  const decoded = decode(pathname);
  const leadsAway =
    origin !== base ||
    decoded === undefined ||
    decoded.startsWith('//') ||
    asked.startsWith('//') ||
    // biome-ignore lint/suspicious/noControlCharactersInRegex: these are what is looked for
    /[\\\u0000-\u001f\u007f]/.test(decoded);
  return leadsAway || ends.test(decoded) ? homePath : asked;
};

/** Twice: what is encoded twice is decoded once on the way. */
const decode = (path: string): string | undefined => {
  try {
    return decodeURIComponent(decodeURIComponent(path));
  } catch {
    return undefined;
  }
};
