/** View: a dead letter as the API shows it. Only one that is asked for by its id shows what was in it. */
export type Letter = Readonly<{
  id: string;
  org_id: string | null;
  subscription: string;
  destination: string;
  origin: string | null;
  proved: boolean;
  source: string | null;
  event_id: string | null;
  type: string | null;
  attempts: number | null;
  reason: string;
  status: number | null;
  dead_at: Date;
  redriven_at: Date | null;
  dropped_at: Date | null;
}>;
export type LetterWithEvent = Letter & Readonly<{error_data: string | null; event: string | null}>;

export const toView = (letter: Letter) =>
  withoutNull({
    id: letter.id,
    state: letter.redriven_at ? 'redriven' : letter.dropped_at ? 'dropped' : 'waiting',
    org: letter.org_id,
    subscription: letter.subscription,
    destination: letter.destination,
    origin: letter.origin,
    proved: letter.proved,
    type: letter.type,
    source: letter.source,
    eventId: letter.event_id,
    attempts: letter.attempts,
    reason: letter.reason,
    status: letter.status,
    deadAt: letter.dead_at,
    redrivenAt: letter.redriven_at,
    droppedAt: letter.dropped_at,
  });

/** As JSON, because the event is shown as the text that it is: parsed, large numbers would be others. */
export const toJsonWithEvent = ({event, error_data, ...letter}: LetterWithEvent): string => {
  const about = JSON.stringify({...toView(letter), ...withoutNull({errorData: error_data})});
  return event === null ? about : `${about.slice(0, -1)},"event":${event}}`;
};

const withoutNull = (fields: object) =>
  Object.fromEntries(Object.entries(fields).filter(([, value]) => value !== null));
