/**
Schedule: whether a cron expression means the same to Knative and to the runner.

In: `schedule` and `timezone` of a PingSource. Out: what is wrong, or undefined. Knative takes five fields, or six with seconds
first, lists, ranges, steps, names and @daily and the like. What only one of the two parsers takes (`?`, `L`, `W`, `#`, Sunday as
7, `5/10`, @every) is refused.
*/
const months = ['jan', 'feb', 'mar', 'apr', 'may', 'jun', 'jul', 'aug', 'sep', 'oct', 'nov', 'dec'];
const days = ['sun', 'mon', 'tue', 'wed', 'thu', 'fri', 'sat'];

type Field = Readonly<{name: string; min: number; max: number; words?: readonly string[]}>;

const fields: readonly Field[] = [
  {name: 'second', min: 0, max: 59},
  {name: 'minute', min: 0, max: 59},
  {name: 'hour', min: 0, max: 23},
  {name: 'day of the month', min: 1, max: 31},
  {name: 'month', min: 1, max: 12, words: months},
  {name: 'day of the week', min: 0, max: 6, words: days},
];

const nicknames = ['@yearly', '@annually', '@monthly', '@weekly', '@daily', '@midnight', '@hourly'];

export const faultOfSchedule = (schedule: string): string | undefined => {
  if (schedule.startsWith('@')) {
    return nicknames.includes(schedule)
      ? undefined
      : `expected one of ${nicknames.join(', ')} or a cron expression, got ${schedule}`;
  }
  const parts = schedule.split(' ');
  if (parts.length !== 5 && parts.length !== 6) {
    return `expected five fields with single spaces between them, or six with seconds first, got ${JSON.stringify(schedule)}`;
  }
  const used = fields.slice(fields.length - parts.length);
  const wrong = used.findIndex((field, index) => !isField(parts[index] as string, field));
  return wrong === -1
    ? undefined
    : `${parts[wrong]} is no ${used[wrong]?.name} that both Knative and this runner understand`;
};

const isField = (text: string, field: Field) => text.split(',').every(part => isPart(part, field));

/** `*`, `5`, `1-5`, each of the open ones with `/step`. */
const isPart = (text: string, field: Field): boolean => {
  const found = /^(?:(\*)|([0-9a-z]+)(?:-([0-9a-z]+))?)(?:\/(\d{1,2}))?$/i.exec(text);
  if (!found) {
    return false;
  }
  const [, star, from, to, step] = found;
  if (step !== undefined && (Number(step) < 1 || Number(step) > field.max || !(star || to))) {
    return false;
  }
  if (star !== undefined) {
    return true;
  }
  const first = numberOf(from, field);
  const last = to === undefined ? first : numberOf(to, field);
  return first >= field.min && last <= field.max && first <= last;
};

const numberOf = (text: string | undefined, {min, words = []}: Field): number => {
  const index = words.indexOf(String(text).toLowerCase());
  return index === -1 ? (/^\d{1,2}$/.test(String(text)) ? Number(text) : Number.NaN) : index + min;
};

/** Names of the IANA database, with their case: on a cluster they are files. */
export const faultOfTimezone = (timezone: string): string | undefined => {
  const fault = `${timezone} is no time zone of the IANA database`;
  if (!/^[A-Z][A-Za-z0-9_+/-]*$/.test(timezone)) {
    return fault;
  }
  try {
    const known = new Intl.DateTimeFormat('en', {timeZone: timezone}).resolvedOptions().timeZone;
    const sameButCase = known.toLowerCase() === timezone.toLowerCase() && known !== timezone;
    return sameButCase ? `${fault}; ${known} is` : undefined;
  } catch {
    return fault;
  }
};
