/** Retained messages by topic, with a lexical index for filters with wildcards. MQTT 5.0 §3.3.1.3 */
export const retained: string = String.raw`
local function removeRetained(c, topic)
  call('HDEL', c.base .. 'rv', topic)
  call('ZREM', c.base .. 'rx', topic)
  call('ZREM', c.base .. 're', topic)
end

local function retain(c, topic, record, expires)
  call('HSET', c.base .. 'rv', topic, struct.pack('>d', tonumber(expires) or 0) .. record)
  call('ZADD', c.base .. 'rx', 0, topic)
  if expires == '' then call('ZREM', c.base .. 're', topic) else call('ZADD', c.base .. 're', expires, topic) end
end

-- What names a message in its record: counter and broker.
local function nameOf(record)
  local offset = bit.band(string.byte(record), 16) == 0 and 10 or 18
  local length = struct.unpack('>I4', record, offset)
  offset = offset + 4 + length
  length = struct.unpack('>I4', record, offset)
  return string.sub(record, 2, 9) .. string.sub(record, offset + 4, offset + 3 + length)
end

-- Whether the message of this record is the retained one of its topic.
local function isRetained(c, record)
  local offset = bit.band(string.byte(record), 16) == 0 and 10 or 18
  local length = struct.unpack('>I4', record, offset)
  local value = call('HGET', c.base .. 'rv', string.sub(record, offset + 4, offset + 3 + length))
  return value and nameOf(string.sub(value, 9)) == nameOf(record)
end

-- How many; fewer than the limit: those were all.
local function dropExpiredRetained(c, limit)
  local topics = call('ZRANGEBYSCORE', c.base .. 're', '-inf', timeOf(c), 'LIMIT', 0, limit)
  for _, topic in ipairs(topics) do removeRetained(c, topic) end
  return #topics
end

local function levelsOf(text)
  local levels = {}
  for level in string.gmatch(text .. '/', '([^/]*)/') do levels[#levels + 1] = level end
  return levels
end

local function matches(filter, topic)
  local place, size = 1, #topic
  for _, level in ipairs(filter) do
    if level == '#' then return true end
    if place > size + 1 then return false end
    local slash = string.find(topic, '/', place, true) or size + 1
    if level ~= '+' and string.sub(topic, place, slash - 1) ~= level then return false end
    place = slash + 1
  end
  return place == size + 2
end

local function isLive(c, value)
  if not value then return false end
  local expires = struct.unpack('>d', value)
  return expires == 0 or expires > timeOf(c)
end

local function addLive(c, topics, found)
  if #topics == 0 then return end
  for index, value in ipairs(call('HMGET', c.base .. 'rv', unpack(topics))) do
    if isLive(c, value) then
      found.values[#found.values + 1] = value
      found.bytes = found.bytes + #value
    end
  end
end

-- When a call ends, in topics looked at and bytes found: Redis is busy with it for about half a millisecond.
local largestScan, largestPage = 250, 262144
-- Topics whose messages are asked for together.
local chunk = 50

-- now, instance, filter, from, through: a page of expiries with records between two topics, and where to go on ('': nowhere)
F.retained = function(keys, args)
  local c = begin(keys, args[1], args[2])
  local found, from, seen = { values = {}, bytes = 0 }, args[4], 0
  if from == '' then
    addLive(c, { args[3] }, found)
    return { found.values, '' }
  end
  local filter = levelsOf(args[3])
  local plain = filter[1] == '+' or filter[1] == '#'
  repeat
    local topics, matching = call('ZRANGEBYLEX', c.base .. 'rx', from, args[5], 'LIMIT', 0, chunk), {}
    for _, topic in ipairs(topics) do
      if not (plain and string.sub(topic, 1, 1) == '$') and matches(filter, topic) then matching[#matching + 1] = topic end
    end
    addLive(c, matching, found)
    seen = seen + #topics
    from = #topics == chunk and '(' .. topics[chunk] or ''
  until from == '' or found.bytes >= largestPage or seen >= largestScan
  return { found.values, from }
end
`
