/** Messages: retained, stored for every matching session and group, their packet ids recorded; each of them all or nothing. */
export const publish: string = String.raw`
-- The subscriptions of one session that match, together: highest QoS, every identifier in the order of subscribing.
local function reception(client, taken, own)
  local found = { client = client, qos = '0', retain = '0', any = false, deliveries = {} }
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

-- Who takes what matches: sessions, each with the reception of others' messages and of its own where No Local makes a difference,
-- and the names of groups.
local function takersOf(c, filters)
  local byClient, order, groups, bytes = {}, {}, {}, 0
  for _, path in ipairs(filters) do
    local entries = call('HGETALL', c.base .. 'f:' .. string.sub(path, 2))
    for index = 1, #entries, 2 do
      local client = string.sub(entries[index], 2)
      local qos, noLocal, asPublished, _, identifier, ordinal =
        string.match(entries[index + 1], '^(%d),(%d),(%d),(%d),(%d+),(%d+)$')
      bytes = bytes + 600 + #client
      if not qos then
        groups[#groups + 1] = entries[index]
      else
        if not byClient[client] then
          byClient[client] = {}
          order[#order + 1] = client
        end
        table.insert(byClient[client],
          { qos = qos, noLocal = noLocal == '1', retain = asPublished, identifier = identifier, ordinal = tonumber(ordinal) })
      end
    end
  end
  local sessions = {}
  for index, client in ipairs(order) do
    local all, hasNoLocal = byClient[client], false
    for _, one in ipairs(all) do hasNoLocal = hasNoLocal or one.noLocal end
    sessions[index] = { client = client, others = reception(client, all, false), own = hasNoLocal and reception(client, all, true) }
  end
  return { sessions = sessions, groups = groups, bytes = bytes }
end

-- What topics have matched, as long as no subscription changes. For each base: a library serves several stores.
local known = {}
local knownBytes = 4 * 1024 * 1024
local nobody = { sessions = {}, groups = {}, bytes = 0 }

local function matching(c, topic)
  if not c.version then
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

local function receiptOf(text)
  local packetId, length, rest = string.match(text, '^(%d+),(%d+),(.*)$')
  return packetId, string.sub(rest, 1, length), string.sub(rest, length + 1)
end

-- The answer for one message, of the five arguments from 'at' on: how many it was for, how many of them are groups that it waits in,
-- these groups, and what this broker is offered. 0: no filter matches.
local function publishOne(c, args, at)
  local topic, publisher, record, receipt = args[at], args[at + 2], args[at + 3], args[at + 4]
  local qos, retained, bytes, expires = string.match(args[at + 1], '^(%d)(%a?),(%d+),(%d*)$')
  if receipt ~= '' then
    local packetId, epoch, client = receiptOf(receipt)
    if not owns(c, client, epoch) then return 'FENCED' end
    -- Stored with its id before: this is the repetition of a call whose answer got lost.
    if call('HSETNX', c.base .. 'i:' .. client, packetId, 1) == 0 then return { 0, 0 } end
  end
  if retained == 's' then retain(c, topic, record, expires) elseif retained == 'd' then removeRetained(c, topic) end
  if qos == '0' then return { 0, 0 } end
  local found = matching(c, topic)
  if #found.sessions == 0 and #found.groups == 0 then return 0 end
  local flag = retained == '' and '0' or '1'
  local entry = { record = record, bytes = tonumber(bytes), expires = expires }
  local answer = { #found.groups, 0 }
  for _, name in ipairs(found.groups) do
    entry.delivery = qos .. ',' .. flag
    if join(c, name, entry) then
      answer[2] = answer[2] + 1
      answer[#answer + 1] = name
      announce(c, name, publisher)
    end
  end
  c.own = answer
  for _, session in ipairs(found.sessions) do
    local taken = session.others
    if session.own and publisher == '1' .. session.client then taken = session.own end
    if taken.any and taken.qos ~= '0' then
      answer[1] = answer[1] + 1
      entry.delivery = deliveryOf(taken, qos, flag)
      append(c, session.client, entry)
    end
  end
  return answer
end

-- now, instance, limits, then for each message its topic; QoS, retain ('': no, 's': set, 'd': delete), bytes and expiry; publisher ('0':
-- none, or '1' and the client); record; receipt ('': none, or packet id, length of the epoch, epoch and client). What one of them
-- fails with does not concern the others. Also: what was dropped, and the number of the last new filter.
F.publish = function(keys, args)
  local c = begin(keys, args[1], args[2], args[3])
  local answers = {}
  for at = 4, #args, 5 do
    local done, answer = pcall(publishOne, c, args, at)
    if not done then
      answer = type(answer) == 'table' and answer.err or tostring(answer)
      -- The client will send it again.
      if args[at + 4] ~= '' then
        local packetId, _, client = receiptOf(args[at + 4])
        redis.pcall('HDEL', c.base .. 'i:' .. client, packetId)
      end
    end
    answers[#answers + 1] = answer
    offer(c, args[at + 3])
  end
  finish(c)
  return { answers, c.drops, c.routes or 0 }
end
`
