/**
Event reader: cuts a stream of server-sent events into whole events.

In: bytes, cut anywhere. Out: for each event, with its blank line, what the caller makes of it. Bytes are looked at as Latin-1 text, a
character each: that is what a search is quick on, and it goes back to the same bytes whatever they mean.
*/
const empty = Buffer.alloc(0);

/** `bytesMax`: the longest event that is looked into; a longer one passes as it is. */
export const createEventReader = (pass: (event: string) => string, bytesMax: number) => {
  let rest = '';
  return {
    push(bytes: Buffer): Buffer {
      const all = rest + bytes.toString('latin1');
      let out = '';
      let from = 0;
      // What waited was searched before, but for a blank line that only began in it.
      let end = endOfEvent(all, Math.max(rest.length - 2, 0));
      while (end >= 0) {
        out += pass(all.slice(from, end));
        from = end;
        end = endOfEvent(all, from);
      }
      rest = all.slice(from);
      if (rest.length > bytesMax) {
        out += rest;
        rest = '';
      }
      return out === '' ? empty : Buffer.from(out, 'latin1');
    },
    /** What is left when the upstream ended. */
    flush(): Buffer {
      const left = rest;
      rest = '';
      return left === '' ? empty : Buffer.from(pass(left), 'latin1');
    },
  };
};

/** Behind the blank line that ends an event: LF LF or CR LF CR LF. */
const endOfEvent = (text: string, from: number): number => {
  let at = from;
  for (;;) {
    at = text.indexOf('\n', at);
    if (at < 0) {
      return -1;
    }
    if (text[at + 1] === '\n') {
      return at + 2;
    }
    if (text[at + 1] === '\r' && text[at + 2] === '\n') {
      return at + 3;
    }
    at += 1;
  }
};
