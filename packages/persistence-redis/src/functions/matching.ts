/** Who takes the messages of a topic, and how. MQTT 5.0 §3.3.4 */
export const matching: string = String.raw`
-- The subscriptions of one session that match, together: highest QoS, every identifier in the order of subscribing.
local function reception(taken, own)
  local found = { qos = '0', retain = '0', any = false, deliveries = {} }
  local identifiers, seen, text = {}, {}, ''
  for _, one in ipairs(taken) do
    if not (own and one.noLocal) then
      found.any = true
      if one.qos > found.qos then found.qos = one.qos end
      if one.retain == '1' then found.retain = '1' end
      if one.identifier ~= '0' then identifiers[#identifiers + 1] = one end
    end
  end
  table.sort(identifiers, function(one, other) return one.ordinal < other.ordinal end)
  for _, one in ipairs(identifiers) do
    if not seen[one.identifier] then
      seen[one.identifier] = true
      text = text .. ',' .. one.identifier
    end
  end
  found.identifiers = text
  return found
end

-- 'QOS,NO LOCAL,RETAIN AS PUBLISHED,RETAIN HANDLING,IDENTIFIER,ORDINAL' (without the spaces); nil for anything else.
local function optionsOf(text)
  local qos, noLocal, asPublished, identifier, ordinal = string.match(text, '^(%d),(%d),(%d),%d,(%d+),(%d+)$')
  if not qos then return nil end
  return { qos = qos, noLocal = noLocal == '1', retain = asPublished, identifier = identifier, ordinal = tonumber(ordinal) }
end

-- How a session gets a message by those of the filters that it has.
local function receptionNow(c, client, filters, own)
  local taken = {}
  for from = 1, #filters, 4000 do
    local through = math.min(from + 3999, #filters)
    local texts = call('HMGET', c.base .. 'u:' .. client, unpack(filters, from, through))
    for index = 1, through - from + 1 do
      if texts[index] then taken[#taken + 1] = optionsOf(texts[index]) end
    end
  end
  return reception(taken, own)
end

-- The same of one that was found by filters that it, or a session of this client before it, has had.
local function receptionOfRemains(c, client, filters, own)
  local isStored = (call('HGET', c.base .. 's:' .. client, 'interval') or '0') ~= '0'
  return isStored and receptionNow(c, client, filters, own) or reception({}, own)
end

-- Takers up to which a message is given to all of them by the call that brings it.
local mostTakers = 128

-- Who takes what matches: sessions, each with the reception of others' messages and of its own where No Local makes a difference,
-- and the names of groups. When there are too many for one call it is only said how many.
local function takersOf(c, paths)
  local byClient, order, groups, filters, size, bytes = {}, {}, {}, {}, 0, 0
  for index, path in ipairs(paths) do
    filters[index] = string.sub(path, 2)
    size = size + call('HLEN', c.base .. 'f:' .. filters[index])
    bytes = bytes + #path
  end
  if size > mostTakers then return { isWide = true, filters = filters, reached = size, bytes = bytes } end
  for _, filter in ipairs(filters) do
    local entries = call('HGETALL', c.base .. 'f:' .. filter)
    for index = 1, #entries, 2 do
      local client, options = string.sub(entries[index], 2), optionsOf(entries[index + 1])
      bytes = bytes + 600 + #client
      if not options then
        groups[#groups + 1] = entries[index]
      else
        if not byClient[client] then
          byClient[client] = {}
          order[#order + 1] = client
        end
        table.insert(byClient[client], options)
      end
    end
  end
  local sessions = {}
  for index, client in ipairs(order) do
    local all, hasNoLocal = byClient[client], false
    for _, one in ipairs(all) do hasNoLocal = hasNoLocal or one.noLocal end
    sessions[index] = { client = client, others = reception(all, false), own = hasNoLocal and reception(all, true) }
  end
  return { sessions = sessions, groups = groups, filters = filters, reached = #sessions + #groups, bytes = bytes }
end

-- What topics have matched, as long as no subscription changes. For each base: a library serves several stores.
local known = {}
local knownBytes = 4 * 1024 * 1024
local nobody = { sessions = {}, groups = {}, filters = {}, reached = 0, bytes = 0 }

local function matching(c, topic)
  if not c.version then
    generationIn(c)
    local numbers = call('HMGET', c.base .. 'nv', 'version', 'routes')
    c.version, c.routes = numbers[1] or 'none', tonumber(numbers[2] or 0)
  end
  if c.version == 'none' then return nobody end
  local cache = known[c.base]
  if not cache or cache.version ~= c.version or cache.bytes > knownBytes then
    cache = { version = c.version, topics = {}, bytes = 0 }
    known[c.base] = cache
  end
  local found = cache.topics[topic]
  if not found then
    found = takersOf(c, search(c, topic))
    cache.topics[topic] = found
    cache.bytes = cache.bytes + #topic + 200 + found.bytes
  end
  return found
end

-- The QoS, the RETAIN flag and the identifiers that a session gets it with.
local function deliveryOf(found, qos, flag)
  local key = qos .. flag
  local delivery = found.deliveries[key]
  if not delivery then
    delivery = (found.qos < qos and found.qos or qos) .. ',' .. (found.retain == '1' and flag or '0') .. found.identifiers
    found.deliveries[key] = delivery
  end
  return delivery
end
`
