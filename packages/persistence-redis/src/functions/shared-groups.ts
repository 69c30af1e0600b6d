/** Shared subscriptions: what waits in a group, and what comes back to it. MQTT 5.0 §4.8.2
 *
 * `gz:` orders the waiting messages by their place in the group; those up to `claimed` came back from a member. */
export const groups: string = String.raw`
local function isGroup(c, name, birth)
  return call('HGET', c.base .. 'gs:' .. name, 'birth') == birth
end

local function wait(c, name, place, entry)
  call('ZADD', c.base .. 'gz:' .. name, place, place)
  call('HSET', c.base .. 'gm:' .. name, place, frame({ entry.record, entry.bytes, entry.expires, entry.delivery }))
  call('HINCRBY', c.base .. 'gs:' .. name, 'bytes', entry.bytes)
  c.queued = c.queued + 1
end

local function takeFrom(c, name, place)
  local fields = unframe(call('HGET', c.base .. 'gm:' .. name, place))
  call('ZREM', c.base .. 'gz:' .. name, place)
  call('HDEL', c.base .. 'gm:' .. name, place)
  call('HINCRBY', c.base .. 'gs:' .. name, 'bytes', -tonumber(fields[2]))
  c.queued = c.queued - 1
  return { record = fields[1], bytes = tonumber(fields[2]), expires = fields[3], delivery = fields[4] }
end

-- Whether the message now waits in the group; otherwise the limits have dropped it. 'delivery' is QoS and RETAIN as published.
local function join(c, name, entry)
  local limits = limitsOf(c.limitsText)
  local state = call('HMGET', c.base .. 'gs:' .. name, 'bytes', 'last', 'claimed')
  local bytes, claimed = tonumber(state[1] or 0), state[3] or 0
  local size = call('ZCARD', c.base .. 'gz:' .. name)
  local possible = limits.messages > 0 and entry.bytes <= limits.bytes and limits.oldest
  local dropped = 0
  while size >= limits.messages or bytes + entry.bytes > limits.bytes do
    dropped = dropped + 1
    local oldest = possible and call('ZRANGEBYSCORE', c.base .. 'gz:' .. name, '(' .. claimed, '+inf', 'LIMIT', 0, 1)[1]
    if not oldest then
      drop(c, name, 'queueFull', dropped)
      return false
    end
    bytes = bytes - takeFrom(c, name, oldest).bytes
    size = size - 1
  end
  drop(c, name, 'queueFull', dropped)
  wait(c, name, call('HINCRBY', c.base .. 'gs:' .. name, 'last', 1), entry)
  return true
end

-- Shared messages go back to their groups, except those of QoS 2 whose delivery has begun. One whose group is gone is an
-- ordinary entry of the session from now on. Whoever gives up a session may know of less than what was sent before.
local function returnClaims(c, client, sentAtLeast)
  local sent = math.max(sentAtLeast, tonumber(call('HGET', c.base .. 's:' .. client, 'sent') or 0))
  local claims = call('HGETALL', c.base .. 'g:' .. client)
  local told = {}
  for index = 1, #claims, 2 do
    local sequence, origin = claims[index], unframe(claims[index + 1])
    local name, birth, place, published = origin[1], origin[2], origin[3], origin[4]
    local found = call('XRANGE', c.base .. 'q:' .. client, idOf(tonumber(sequence)), idOf(tonumber(sequence)))[1]
    local entry = found and entryOf(found[2])
    local begun = entry and string.sub(entry.delivery, 1, 1) == '2' and
      (tonumber(sequence) <= sent or call('HEXISTS', c.base .. 'r:' .. client, sequence) == 1)
    if not begun then
      call('HDEL', c.base .. 'g:' .. client, sequence)
      if entry and isGroup(c, name, birth) then
        remove(c, client, sequence)
        entry.delivery = published
        wait(c, name, place, entry)
        if not told[name] then
          told[name] = true
          c.ready[#c.ready + 1] = name
        end
      end
    end
  end
end

-- The highest sequence that an owner may have sent which was cut off before it could say so: all that it had taken, and claimed.
local function mayBeSent(c, client, taken)
  local highest = tonumber(taken or 0)
  for _, sequence in ipairs(call('HKEYS', c.base .. 'g:' .. client)) do highest = math.max(highest, tonumber(sequence)) end
  return highest
end

-- now, instance, client, epoch, group, limit: entries that are the session's now
F.claim = function(keys, args)
  local c = begin(keys, args[1], args[2])
  local client, epoch, name, limit = args[3], args[4], args[5], tonumber(args[6])
  if not owns(c, client, epoch) then return fenced(client, epoch) end
  local options = call('HGET', c.base .. 'm:' .. name, client)
  if not options then return { {}, {} } end
  local maximum, asPublished, identifier = string.match(options, '^(%d),%d,(%d),%d,(%d+)')
  local state = loadState(c, client)
  local birth = call('HGET', c.base .. 'gs:' .. name, 'birth')
  local entries, expired = {}, 0
  while #entries < limit * 4 do
    local place = call('ZRANGE', c.base .. 'gz:' .. name, 0, 0)[1]
    if not place then break end
    local entry = takeFrom(c, name, place)
    if tonumber(place) > tonumber(call('HGET', c.base .. 'gs:' .. name, 'claimed') or 0) then
      call('HSET', c.base .. 'gs:' .. name, 'claimed', place)
    end
    if entry.expires ~= '' and tonumber(entry.expires) <= timeOf(c) then
      expired = expired + 1
    else
      local published = entry.delivery
      local qos, retain = string.match(published, '^(%d),(%d)')
      if maximum < qos then qos = maximum end
      if asPublished == '0' then retain = '0' end
      entry.delivery = qos .. ',' .. retain .. (identifier == '0' and '' or ',' .. identifier)
      state.last = state.last + 1
      if not state.behind then state.taken = state.last end
      if qos ~= '0' then
        add(c, client, state.last, entry)
        call('HSET', c.base .. 'g:' .. client, state.last, frame({ name, birth, place, published }))
      end
      local size = #entries
      entries[size + 1], entries[size + 2], entries[size + 3], entries[size + 4] = state.last, entry.delivery, 0, entry.record
    end
  end
  saveState(c, client, state)
  drop(c, name, 'expired', expired)
  finish(c)
  return { entries, c.drops }
end
`
