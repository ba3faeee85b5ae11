-- Exchange: what gateways hold of limits, and what is left of them; `bucket.ts` says the same.
--
-- KEYS[1]  sorted set of the gateways that are alive, by the end of their life
-- KEYS[2…] a hash a limit: `level` and `at` of a limit a minute; a field for every gateway that holds some: `amount:until`
-- ARGV[1]  the gateway's id                    ARGV[5]  life of what is held of a limit at once, ms
-- ARGV[2]  now, ms; empty: by Redis's clock    ARGV[6]  life of a gateway, ms
-- ARGV[3]  how many gateways there are         then nine for every limit, in the order of KEYS:
-- ARGV[4]  life of permits, ms                 kind (m or p), capacity, kept, released, given, needed, least, max,
--                                              level
-- Result   gateways alive; then for every limit kept, granted, and what is left in thousandths

local gateway, gateways = ARGV[1], tonumber(ARGV[3])
local lives = {m = tonumber(ARGV[4]), p = tonumber(ARGV[5])}
local now = tonumber(ARGV[2])
if now == nil then
  local time = redis.call('TIME')
  now = tonumber(time[1]) * 1000 + math.floor(tonumber(time[2]) / 1000)
end

-- Whole or with thousandths, never with an exponent.
local function write(number)
  return string.format('%.3f', number)
end

redis.call('ZADD', KEYS[1], write(now + tonumber(ARGV[6])), gateway)
redis.call('ZREMRANGEBYSCORE', KEYS[1], '-inf', write(now))
redis.call('PEXPIRE', KEYS[1], 2 * tonumber(ARGV[6]))
local result = {redis.call('ZCARD', KEYS[1])}

for index = 2, #KEYS do
  local key, first = KEYS[index], 7 + (index - 2) * 9
  local kind, capacity = ARGV[first], tonumber(ARGV[first + 1])
  local kept, released, given = tonumber(ARGV[first + 2]), tonumber(ARGV[first + 3]), tonumber(ARGV[first + 4])
  local needed, least = tonumber(ARGV[first + 5]), tonumber(ARGV[first + 6])
  local max, known = tonumber(ARGV[first + 7]), tonumber(ARGV[first + 8])

  local level, at, mine, others, lapsed, lapsedAt = nil, now, 0, 0, 0, 0
  local over = {}
  local fields = redis.call('HGETALL', key)
  for field = 1, #fields, 2 do
    local name, value = fields[field], fields[field + 1]
    if name == 'level' then
      level = tonumber(value)
    elseif name == 'at' then
      at = tonumber(value)
    else
      local colon = string.find(value, ':', 1, true)
      local amount = tonumber(string.sub(value, 1, colon - 1))
      local untilAt = tonumber(string.sub(value, colon + 1))
      if untilAt <= now then
        lapsed, lapsedAt = lapsed + amount, math.max(lapsedAt, untilAt)
        if name ~= gateway then over[#over + 1] = name end
      elseif name == gateway then
        mine = amount
      else
        others = others + amount
      end
    end
  end
  if #over > 0 then redis.call('HDEL', key, unpack(over)) end

  if kind == 'm' then kept = math.min(kept, mine) end
  local room = capacity - others - kept
  if kind == 'p' then
    level = room
  else
    level = level or math.min(known, capacity)
    local owed = math.min(level, -capacity)
    local held, ends = others + mine, math.max(now, at)
    local middle = math.min(math.max(lapsedAt, at), ends)
    level = math.min(level + (middle - at) * capacity / 60000, capacity - held - lapsed)
    level = math.min(level + (ends - middle) * capacity / 60000, capacity - held)
    level = math.max(math.min(level + math.min(released, mine - kept) + given, room), owed)
  end

  local whole, granted = math.floor(level), 0
  if whole >= needed then
    granted = math.floor(math.max(needed, math.min(whole / (4 * gateways), max)))
  elseif whole >= least then
    granted = math.max(whole, 0)
  end
  level = level - granted

  if kind == 'm' then
    redis.call('HSET', key, 'level', write(level), 'at', write(math.max(now, at)))
  end
  if kept + granted > 0 then
    redis.call('HSET', key, gateway, string.format('%.0f:%.0f', kept + granted, now + lives[kind]))
  else
    redis.call('HDEL', key, gateway)
  end
  -- By then it is full, or nobody holds any of it, which is what an absent one means.
  redis.call('PEXPIRE', key, kind == 'm' and 120000 or 2 * lives.p)

  result[#result + 1] = kept
  result[#result + 1] = granted
  result[#result + 1] = math.floor(level * 1000)
end

return result
