/** Retained messages by topic, with a lexical index for filters with wildcards. MQTT 5.0 §3.3.1.3 */
export const retained: string = String.raw`
local function levelsOf(text)
  local levels = {}
  for level in string.gmatch(text .. '/', '([^/]*)/') do levels[#levels + 1] = level end
  return levels
end

-- Levels that are counted; a filter is not looked up by those behind.
local countedLevels = 16

local function countLevels(c, topic, by)
  for place, level in ipairs(levelsOf(topic)) do
    if place > countedLevels then break end
    local field = place .. ' ' .. level
    if call('HINCRBY', c.base .. 'rl', field, by) <= 0 then call('HDEL', c.base .. 'rl', field) end
  end
  -- How many topics these counts are of.
  if call('HINCRBY', c.base .. 'rl', 'all', by) <= 0 then call('HDEL', c.base .. 'rl', 'all') end
end

local function removeRetained(c, topic)
  if call('HDEL', c.base .. 'rv', topic) == 0 then return end
  call('ZREM', c.base .. 'rx', topic)
  call('ZREM', c.base .. 're', topic)
  countLevels(c, topic, -1)
end

local function retain(c, topic, record, expires)
  call('HSET', c.base .. 'rv', topic, struct.pack('>d', tonumber(expires) or 0) .. record)
  if call('ZADD', c.base .. 'rx', 0, topic) == 1 then countLevels(c, topic, 1) end
  if expires == '' then call('ZREM', c.base .. 're', topic) else call('ZADD', c.base .. 're', expires, topic) end
end

-- Whether there may be a topic with all levels of the filter that are no wildcards. Data of a release that did not count says nothing.
local function mayMatch(c, levels)
  local fields = { 'all' }
  for place, level in ipairs(levels) do
    if place > countedLevels then break end
    if level ~= '+' and level ~= '#' then fields[#fields + 1] = place .. ' ' .. level end
  end
  local counts = call('HMGET', c.base .. 'rl', unpack(fields))
  if tonumber(counts[1] or 0) ~= call('ZCARD', c.base .. 'rx') then return true end
  for index = 2, #fields do
    if not counts[index] then return false end
  end
  return counts[1] ~= false
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

-- Whether a text comes behind another one, by their bytes. That of Lua goes by the language of the machine.
local function isBehind(one, other)
  for place = 1, math.min(#one, #other) do
    local byte, otherByte = string.byte(one, place), string.byte(other, place)
    if byte ~= otherByte then return byte > otherByte end
  end
  return #one > #other
end

-- Whether the topic matches; if not, and it is known, a text before which no later topic does.
local function matches(filter, topic)
  local place, size = 1, #topic
  for _, level in ipairs(filter) do
    if level == '#' then return true end
    if place > size + 1 then return false end
    local slash = string.find(topic, '/', place, true) or size + 1
    local found = string.sub(topic, place, slash - 1)
    if level ~= '+' and found ~= level then
      local before = string.sub(topic, 1, place - 1)
      if isBehind(level, found) then return false, before .. level end
      -- '0' follows '/'. What begins with the level may come before the level with a '/'.
      local hasPassed = string.sub(found, 1, #level) ~= level or string.byte(found, #level + 1) > 47
      return false, hasPassed and (before == '' and '\255' or string.sub(before, 1, -2) .. '0') or before .. level .. '/'
    end
    place = slash + 1
  end
  if place == size + 2 then return true end
  return false, string.sub(topic, 1, place - 2) .. '0'
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
  if not mayMatch(c, filter) then return { found.values, '' } end
  local plain = filter[1] == '+' or filter[1] == '#'
  repeat
    local topics, matching, target = call('ZRANGEBYLEX', c.base .. 'rx', from, args[5], 'LIMIT', 0, chunk), {}, nil
    for _, topic in ipairs(topics) do
      local isMatch, following = matches(filter, topic)
      if isMatch and not (plain and string.sub(topic, 1, 1) == '$') then matching[#matching + 1] = topic end
      target = following
    end
    addLive(c, matching, found)
    seen = seen + #topics
    from = ''
    if #topics == chunk then
      local last = topics[chunk]
      from = target and isBehind(target, last) and '[' .. target or '(' .. last
    end
  until from == '' or found.bytes >= largestPage or seen >= largestScan
  return { found.values, from }
end
`
