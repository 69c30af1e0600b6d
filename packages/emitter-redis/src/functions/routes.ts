/** Who is there, and which filters each broker wants. Everything under one base, `{PREFIX1.rt}:`
 *
 * Every change is an entry of `log` with the next number, and is told on the channel `c`. Who has missed one reads the log from
 * there, or everything when the log doesn't reach back. */
export const routes: string = String.raw`
local logLength = 1000
-- Leases of keys that a dead broker leaves are longer than its own, so that it is seen to be gone first.
local afterlife = 6

local function milliseconds()
  local time = redis.call('TIME')
  return string.format('%.0f', time[1] * 1000 + math.floor(time[2] / 1000))
end

local function isHere(base, instance)
  return redis.call('EXISTS', base .. 'l:' .. instance) == 1 and redis.call('HEXISTS', base .. 'brokers', instance) == 1
end

local function tell(base, entry)
  local number = redis.call('HINCRBY', base .. 'v', 'n', 1)
  local text = cjson.encode(entry)
  redis.call('XADD', base .. 'log', 'MAXLEN', '~', logLength, number .. '-0', 'e', text)
  redis.call('PUBLISH', base .. 'c', '["r",' .. number .. ',' .. text .. ']')
  return number
end

local function forget(base, instance)
  redis.call('ZREM', base .. 'fo', instance)
  redis.call('DEL', base .. 'l:' .. instance, base .. 'r:' .. instance)
  if redis.call('HDEL', base .. 'brokers', instance) == 1 then tell(base, { 'g', instance }) end
end

local function sweep(base)
  for _, instance in ipairs(redis.call('HKEYS', base .. 'brokers')) do
    if redis.call('EXISTS', base .. 'l:' .. instance) == 0 then forget(base, instance) end
  end
end

-- The log's name, its last number, and for each broker: instance, id, filters.
local function everything(base)
  local version = redis.call('HMGET', base .. 'v', 'id', 'n')
  local brokers, found = redis.call('HGETALL', base .. 'brokers'), {}
  for index = 1, #brokers, 2 do
    found[#found + 1] = { brokers[index], brokers[index + 1], redis.call('SMEMBERS', base .. 'r:' .. brokers[index]) }
  end
  return { version[1] or '', tonumber(version[2] or 0), 'all', found }
end

-- instance, id, milliseconds of its lease, filters
F.join = function(keys, args)
  local base, instance, lease = keys[1], args[1], tonumber(args[3])
  sweep(base)
  redis.call('SET', base .. 'l:' .. instance, '1', 'PX', lease)
  redis.call('HSETNX', base .. 'v', 'id', instance)
  redis.call('HSET', base .. 'brokers', instance, args[2])
  redis.call('DEL', base .. 'r:' .. instance)
  local entry = { 'j', instance, args[2] }
  for index = 4, #args do
    redis.call('SADD', base .. 'r:' .. instance, args[index])
    entry[index] = args[index]
  end
  redis.call('PEXPIRE', base .. 'r:' .. instance, lease * afterlife)
  tell(base, entry)
  return everything(base)
end

-- instance, milliseconds of its lease, milliseconds for which it goes by what it has heard. Answers whether it was lost, the log's name,
-- its last number.
F.renew = function(keys, args)
  local base, instance, lease = keys[1], args[1], tonumber(args[2])
  local lost = not isHere(base, instance)
  if not lost then
    redis.call('PEXPIRE', base .. 'l:' .. instance, lease)
    redis.call('PEXPIRE', base .. 'r:' .. instance, lease * afterlife)
    local now = milliseconds()
    redis.call('ZREMRANGEBYSCORE', base .. 'fo', '-inf', now)
    redis.call('ZADD', base .. 'fo', now + args[3], instance)
  end
  sweep(base)
  local version = redis.call('HMGET', base .. 'v', 'id', 'n')
  return { lost and 1 or 0, version[1] or '', tonumber(version[2] or 0) }
end

-- instance, milliseconds, then + or - with a filter each. Answers the entry's number and who has to know it.
F.route = function(keys, args)
  local base, instance = keys[1], args[1]
  if not isHere(base, instance) then return redis.error_reply('LOST the lease of ' .. instance .. ' has ended') end
  local entry = { 'r', instance }
  for index = 3, #args do
    local filter = string.sub(args[index], 2)
    redis.call(string.sub(args[index], 1, 1) == '+' and 'SADD' or 'SREM', base .. 'r:' .. instance, filter)
    entry[index] = args[index]
  end
  redis.call('PEXPIRE', base .. 'r:' .. instance, tonumber(args[2]) * afterlife)
  return { tell(base, entry), redis.call('ZRANGEBYSCORE', base .. 'fo', '(' .. milliseconds(), '+inf') }
end
-- Without new filters: allowed when memory is full.
F.unroute = F.route

-- The log's name, the last number that is known.
F.since = function(keys, args)
  local base, known = keys[1], tonumber(args[2])
  local version = redis.call('HMGET', base .. 'v', 'id', 'n')
  local last = tonumber(version[2] or 0)
  if version[1] ~= args[1] or known > last then return everything(base) end
  local found = redis.call('XRANGE', base .. 'log', (known + 1) .. '-0', '+')
  if known < last and (#found == 0 or found[1][1] ~= (known + 1) .. '-0') then return everything(base) end
  local entries = {}
  for index, entry in ipairs(found) do entries[index] = entry[2][2] end
  return { version[1], last, 'log', entries }
end

F.leave = function(keys, args)
  local base = keys[1]
  forget(base, args[1])
  if redis.call('HLEN', base .. 'brokers') == 0 then redis.call('DEL', base .. 'log', base .. 'v') end
end
`
