/**
Scripts that Redis runs, each in one step. They look at who owns a pending entry before they touch it: XCLAIM alone would take
back what another consumer has claimed since.

KEYS[1] is the stream in all of them; ARGV[1] the group, ARGV[2] the consumer. They are sent as text each time: a script that
Redis forgot in a restart needs no second try, and they are short. Redis 7.0 commands only.
*/

/** Out: the id of the newest entry that the stream ever had, `0-0` where there is no stream. */
export const newestId = `
  local ok = redis.call('EXISTS', KEYS[1])
  if ok == 0 then return '0-0' end
  local info = redis.call('XINFO', 'STREAM', KEYS[1])
  for at = 1, #info, 2 do
    if info[at] == 'last-generated-id' then return info[at + 1] end
  end
  return '0-0'`;

/**
ARGV[3] the least idle time in ms, ARGV[4] whose entries (empty: anybody's), then ids. Makes them the consumer's and counts a
delivery. Out: `{id, deliveries, fields}` of each that it took; without fields where the entry is in the stream no more: then it
is acknowledged, or it would come for ever.
*/
export const claim = `
  local taken = {}
  for at = 5, #ARGV do
    local id = ARGV[at]
    local row = redis.call('XPENDING', KEYS[1], ARGV[1], id, id, 1)[1]
    if row and (ARGV[4] == '' or row[2] == ARGV[4]) and row[3] >= tonumber(ARGV[3]) then
      local entry = redis.call('XCLAIM', KEYS[1], ARGV[1], ARGV[2], ARGV[3], id)[1]
      if entry then
        taken[#taken + 1] = {id, row[4] + 1, entry[2]}
      else
        redis.call('XACK', KEYS[1], ARGV[1], id)
        taken[#taken + 1] = {id, row[4]}
      end
    end
  end
  return taken`;

/** ARGV: ids. Starts their idle time anew. Out: those that are the consumer's. */
export const refresh = `
  local own = {}
  for at = 3, #ARGV do
    local id = ARGV[at]
    local row = redis.call('XPENDING', KEYS[1], ARGV[1], id, id, 1)[1]
    if row and row[2] == ARGV[2] then
      redis.call('XCLAIM', KEYS[1], ARGV[1], ARGV[2], 0, id, 'JUSTID')
      own[#own + 1] = id
    end
  end
  return own`;

/** ARGV: ids and how often each is to count as delivered, in turn. Sets that where the entry is the consumer's. */
export const setDeliveries = `
  for at = 3, #ARGV, 2 do
    local id = ARGV[at]
    local row = redis.call('XPENDING', KEYS[1], ARGV[1], id, id, 1)[1]
    if row and row[2] == ARGV[2] then
      redis.call('XCLAIM', KEYS[1], ARGV[1], ARGV[2], 0, id, 'RETRYCOUNT', ARGV[at + 1], 'JUSTID')
    end
  end
  return 0`;

/** ARGV[1] an id, ARGV[2] how many at most. Out: how many entries come after it, and the last of them. */
export const countAfter = `
  local entries = redis.call('XRANGE', KEYS[1], '(' .. ARGV[1], '+', 'COUNT', ARGV[2])
  return {#entries, #entries > 0 and entries[#entries][1] or ARGV[1]}`;
