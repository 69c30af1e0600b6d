/** Who is there, and which filters each broker wants. Everything under one base, `{PREFIX1.rt}:`
 *
 * Every change is an entry of `log` and is told on the channel `c`. Its position, NUMBER-MICROSECONDS, has the next number and the time,
 * so that what follows a failover is not taken for what was lost by it. Who has missed a change reads the log from the last position
 * it knows, or everything when the log does not have it. */
export const routes: string = String.raw`
local logLength = 1000
-- Leases of keys that a dead broker leaves are longer than its own, so that it is seen to be gone first.
local afterlife = 6

local function milliseconds() return whole(math.floor(microseconds() / 1000)) end

local function isHere(base, instance)
  local deadline = redis.call('ZSCORE', base .. 'leases', instance)
  return deadline ~= false and tonumber(deadline) > tonumber(milliseconds())
end

local function tell(base, entry)
  local number = redis.call('HINCRBY', base .. 'v', 'n', 1)
  local before = redis.call('HGET', base .. 'v', 'p') or ''
  local position = number .. '-' .. whole(microseconds())
  redis.call('HSET', base .. 'v', 'p', position)
  local text = cjson.encode(entry)
  redis.call('XADD', base .. 'log', 'MAXLEN', '~', logLength, position, 'e', text)
  redis.call('PUBLISH', base .. 'c', '["r","' .. position .. '","' .. before .. '",' .. text .. ']')
  return number
end

local function forget(base, instance)
  redis.call('ZREM', base .. 'fo', instance)
  redis.call('ZREM', base .. 'leases', instance)
  redis.call('UNLINK', base .. 'r:' .. instance)
  if redis.call('HDEL', base .. 'here', instance) == 1 then tell(base, { 'g', instance }) end
end

local function sweep(base, now)
  for _, instance in ipairs(redis.call('ZRANGEBYSCORE', base .. 'leases', '-inf', whole(now))) do forget(base, instance) end
end

local function position(base) return redis.call('HGET', base .. 'v', 'p') or '' end

-- Nothing stays when all brokers have died.
local function keep(base, instance, lease)
  for _, name in ipairs({ 'brokers', 'here', 'leases', 'log', 'v', 'fo', 'r:' .. instance }) do
    redis.call('PEXPIRE', base .. name, lease * afterlife)
  end
end

-- The last position, and who is there: instance, id. Their filters are read page by page afterwards, and what has changed meanwhile from
-- the log.
local function everything(base)
  local brokers, found = redis.call('HGETALL', base .. 'here'), {}
  for index = 1, #brokers, 2 do found[#found + 1] = { brokers[index], brokers[index + 1] } end
  return { position(base), 'all', found }
end

local function followersOf(base)
  return redis.call('ZRANGEBYSCORE', base .. 'fo', '(' .. milliseconds(), '+inf')
end

-- A broker that is there, if they are of another schema than this; otherwise what dead ones have left is no hindrance. In schema 1 'brokers'
-- was what 'here' is now, so that such a release fails at it, instead of taking the brokers of this one for dead.
local function strangerTo(base, schema)
  local kind = redis.call('TYPE', base .. 'brokers').ok
  local found = kind == 'string' and redis.call('GET', base .. 'brokers') or kind == 'hash' and '1'
  if not found or found == schema then return nil end
  local there = redis.call('ZRANGEBYSCORE', base .. 'leases', '(' .. milliseconds(), '+inf', 'LIMIT', 0, 1)[1]
  for _, one in ipairs(kind == 'hash' and redis.call('HKEYS', base .. 'brokers') or {}) do
    if redis.call('EXISTS', base .. 'l:' .. one) == 1 then there = one end
  end
  if there then return there, found end
  redis.call('DEL', base .. 'brokers', base .. 'here', base .. 'leases', base .. 'log', base .. 'v', base .. 'fo')
end

local function change(base, instance, changes)
  for _, one in ipairs(changes) do
    redis.call(string.sub(one, 1, 1) == '+' and 'SADD' or 'SREM', base .. 'r:' .. instance, string.sub(one, 2))
  end
end

-- instance, milliseconds of its lease, 1: the first ones, JSON of filters with which it joins afterwards
F.stage = function(keys, args)
  local key = keys[1] .. 'n:' .. args[1]
  if args[3] == '1' then redis.call('DEL', key) end
  redis.call('SADD', key, unpack(cjson.decode(args[4])))
  redis.call('PEXPIRE', key, tonumber(args[2]) * afterlife)
end

-- instance, id, milliseconds of its lease, 1: with what it has staged, JSON of + or - with a filter each, beside that, the schema that it
-- speaks. Returns the entry's number and who has to know it.
F.join = function(keys, args)
  local base, instance, lease, isStaged = keys[1], args[1], tonumber(args[3]), args[4] == '1'
  local stranger, schema = strangerTo(base, args[6])
  if stranger then
    return redis.error_reply('SCHEMA under ' .. base .. ' is broker ' .. stranger .. ' of schema ' .. schema .. ', this release speaks schema '
      .. args[6] .. ': they would not hear each other')
  end
  redis.call('SET', base .. 'brokers', args[6])
  sweep(base, tonumber(milliseconds()))
  -- What has lost its lease by other means.
  for _, other in ipairs(redis.call('HKEYS', base .. 'here')) do
    if not redis.call('ZSCORE', base .. 'leases', other) then forget(base, other) end
  end
  redis.call('ZADD', base .. 'leases', whole(milliseconds() + lease), instance)
  redis.call('HSET', base .. 'here', instance, args[2])
  redis.call('UNLINK', base .. 'r:' .. instance)
  if isStaged and redis.call('EXISTS', base .. 'n:' .. instance) == 1 then
    redis.call('RENAME', base .. 'n:' .. instance, base .. 'r:' .. instance)
  end
  local changes = cjson.decode(args[5])
  change(base, instance, changes)
  -- Too many for an entry: whoever hears of them reads everything.
  local entry = { isStaged and 'a' or 'j', instance, args[2] }
  if not isStaged then
    for index, one in ipairs(changes) do entry[index + 3] = string.sub(one, 2) end
  end
  local number = tell(base, entry)
  keep(base, instance, lease)
  return { number, followersOf(base) }
end

-- instance, milliseconds of its lease, milliseconds for which it goes by what it has heard, 1: keeps what all brokers share for another
-- while. Returns whether it was lost, the last position, and the time in milliseconds.
F.renew = function(keys, args)
  local base, instance, lease, now = keys[1], args[1], tonumber(args[2]), microseconds() / 1000
  sweep(base, now)
  -- Never the deadline that it has: whether it is there shows in that it changes.
  local deadline = string.format('%.3f', now + lease)
  local lost = redis.call('ZADD', base .. 'leases', 'XX', 'CH', deadline, instance) == 0
  if not lost then redis.call('ZADD', base .. 'fo', whole(now + args[3]), instance) end
  if args[4] == '1' then
    redis.call('ZREMRANGEBYSCORE', base .. 'fo', '-inf', whole(now))
    keep(base, instance, lease)
  end
  return { lost and 1 or 0, position(base), whole(math.floor(now)) }
end

-- instance, milliseconds of its lease, JSON of + or - with a filter each. Returns the entry's number and who has to know it.
F.route = function(keys, args)
  local base, instance = keys[1], args[1]
  if not isHere(base, instance) then return redis.error_reply('LOST the lease of ' .. instance .. ' has ended') end
  local entry, changes = { 'r', instance }, cjson.decode(args[3])
  change(base, instance, changes)
  for index, one in ipairs(changes) do entry[index + 2] = one end
  redis.call('PEXPIRE', base .. 'r:' .. instance, tonumber(args[2]) * afterlife)
  return { tell(base, entry), followersOf(base) }
end
-- Without new filters: allowed when memory is full.
F.unroute = F.route

-- The last position that is known, and how many entries at most.
F.since = function(keys, args)
  local base, known = keys[1], args[1]
  if known == '' then return everything(base) end
  local found = redis.call('XRANGE', base .. 'log', known, '+', 'COUNT', args[2] + 1)
  if #found == 0 or found[1][1] ~= known then return everything(base) end
  local entries = {}
  for index = 2, #found do entries[index - 1] = found[index][2][2] end
  return { found[#found][1], 'log', entries }
end

F.leave = function(keys, args)
  local base = keys[1]
  forget(base, args[1])
  if redis.call('HLEN', base .. 'here') == 0 then redis.call('DEL', base .. 'brokers', base .. 'log', base .. 'v') end
end
`
