/** What all functions share: time, frames, counts, and what is told to brokers when a function ends.
 *
 * A context `c` lives for one call. `c.deliveries[owner]` and `c.ready` are collected on the way and told at the end, so that a
 * broker gets one message for each call. */
export const context: string = String.raw`
-- While a library is loaded, redis.call is not there yet.
local function call(...) return redis.call(...) end

local function begin(keys, now, instance)
  return { base = keys[1], instance = instance, given = now, queued = 0, drops = {}, ready = {}, remote = {}, own = {} }
end

local function microseconds()
  local time = call('TIME')
  return time[1] * 1000000 + time[2]
end

-- Milliseconds; asked for by those that need it, since every command costs.
local function timeOf(c)
  if not c.now then c.now = c.given == '' and math.floor(microseconds() / 1000) or tonumber(c.given) end
  return c.now
end

-- Fields with their lengths before them.
local function frame(fields)
  local parts = {}
  for index, field in ipairs(fields) do
    field = tostring(field)
    parts[index] = struct.pack('>I4', #field) .. field
  end
  return table.concat(parts)
end

local function unframe(text)
  local fields, place = {}, 1
  while place <= #text do
    local length = struct.unpack('>I4', text, place)
    fields[#fields + 1] = string.sub(text, place + 4, place + 3 + length)
    place = place + 4 + length
  end
  return fields
end

local function count(c, field, by)
  if by ~= 0 and call('HINCRBY', c.base .. 'counts', field, by) == 0 then call('HDEL', c.base .. 'counts', field) end
end

local function drop(c, queue, reason, number)
  if number == 0 then return end
  for index = 1, #c.drops, 3 do
    if c.drops[index] == queue and c.drops[index + 1] == reason then
      c.drops[index + 2] = c.drops[index + 2] + number
      return
    end
  end
  local size = #c.drops
  c.drops[size + 1], c.drops[size + 2], c.drops[size + 3] = queue, reason, number
end

-- Counted for each broker, so that it notices when one was lost.
local function tell(c, instance, fields)
  local number = call('HINCRBY', c.base .. 'told', instance, 1)
  table.insert(fields, 1, number)
  call('PUBLISH', c.base .. 'c:' .. instance, frame(fields))
end

local function announceGroups(c, groups, publisher)
  if #groups == 0 then return end
  for _, other in ipairs(call('SMEMBERS', c.base .. 'brokers')) do
    if other ~= c.instance then
      local fields = { 'g', publisher }
      for _, group in ipairs(groups) do fields[#fields + 1] = group end
      tell(c, other, fields)
    end
  end
end

-- To be called last: 'record' is the message that was delivered, if any.
local function finish(c, record)
  count(c, 'queued', c.queued)
  for owner, fields in pairs(c.remote) do
    table.insert(fields, 1, record)
    table.insert(fields, 1, 'd')
    tell(c, owner, fields)
  end
  announceGroups(c, c.ready, '')
end

local function fenced(client, epoch)
  return redis.error_reply("FENCED session of client '" .. client .. "' is not open with epoch " .. epoch)
end

-- Whether the session is open with this epoch.
local function owns(c, client, epoch)
  local state = call('HMGET', c.base .. 's:' .. client, 'epoch', 'owner')
  return state[1] == epoch and state[2] ~= false
end
`
