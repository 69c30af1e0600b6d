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

local function dropExpiredRetained(c, limit)
  for _, topic in ipairs(call('ZRANGEBYSCORE', c.base .. 're', '-inf', timeOf(c), 'LIMIT', 0, limit)) do
    removeRetained(c, topic)
  end
end

local function levelsOf(text)
  local levels = {}
  for level in string.gmatch(text .. '/', '([^/]*)/') do levels[#levels + 1] = level end
  return levels
end

local function matches(filter, topic)
  local levels = levelsOf(topic)
  for index, level in ipairs(filter) do
    if level == '#' then return true end
    if levels[index] == nil or (level ~= '+' and level ~= levels[index]) then return false end
  end
  return #filter == #levels
end

local function live(c, value)
  if not value then return nil end
  local expires = struct.unpack('>d', value)
  if expires ~= 0 and expires <= timeOf(c) then return nil end
  return string.sub(value, 9)
end

-- now, instance, filter, from, through: a page of records between two topics, and where to go on ('': nowhere)
F.retained = function(keys, args)
  local c = begin(keys, args[1], args[2])
  local filter = levelsOf(args[3])
  if args[4] == '' then
    local record = live(c, call('HGET', c.base .. 'rv', args[3]))
    return { { record }, '' }
  end
  local topics = call('ZRANGEBYLEX', c.base .. 'rx', args[4], args[5], 'LIMIT', 0, 1000)
  local reserved = filter[1] == '+' or filter[1] == '#'
  local records = {}
  for _, topic in ipairs(topics) do
    if not (reserved and string.sub(topic, 1, 1) == '$') and matches(filter, topic) then
      local record = live(c, call('HGET', c.base .. 'rv', topic))
      if record then records[#records + 1] = record end
    end
  end
  return { records, #topics == 1000 and '(' .. topics[1000] or '' }
end
`
