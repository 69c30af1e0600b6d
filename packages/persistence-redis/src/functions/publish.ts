/** Messages: retained, stored for every matching session and group, their packet ids recorded; each of them all or nothing. */
export const publish: string = String.raw`
-- Instead of the number of receivers.
local noFilter, failed = 4294967295, 4294967294

local function remark(c, index, kind, text)
  local size = #c.remarks
  c.remarks[size + 1], c.remarks[size + 2], c.remarks[size + 3] = index, kind, text
end

-- 'QOS,RETAIN,BYTES,EXPIRY,LENGTH,LENGTH,LENGTH,LENGTH,TOPIC PUBLISHER EPOCH WILL CLIENT' (without the spaces), parsed once for each call.
-- RETAIN: '' (no), 's' (set) or 'd' (delete); PUBLISHER: '0' (none), or '1' and the client. EPOCH: of the session that publishes; WILL:
-- the epoch that names the will which this is; each '' (none).
local function headOf(c, text)
  local head = c.heads[text]
  if head then return head end
  local qos, retained, bytes, expires, topicLength, publisherLength, epochLength, willLength, names =
    string.match(text, '^(%d),(%a?),(%d+),(%d*),(%d+),(%d+),(%d+),(%d+),(.*)$')
  local topicEnd = tonumber(topicLength)
  local publisherEnd = topicEnd + publisherLength
  local epochEnd = publisherEnd + epochLength
  local willEnd = epochEnd + willLength
  local epoch, client = string.sub(names, publisherEnd + 1, epochEnd), string.sub(names, willEnd + 1)
  head = {
    qos = qos, retained = retained, bytes = tonumber(bytes), expires = expires, topic = string.sub(names, 1, topicEnd),
    publisher = string.sub(names, topicEnd + 1, publisherEnd), client = client, epoch = epoch,
    will = string.sub(names, epochEnd + 1, willEnd), mayPublish = epoch == '' or owns(c, client, epoch),
  }
  c.heads[text] = head
  return head
end

-- Gives a message to all who take it; 'c.own' is what this broker is offered. How many they are.
local function giveToAll(c, head, record, index, found)
  local flag = head.retained == '' and '0' or '1'
  local entry = { record = record, bytes = head.bytes, expires = head.expires }
  local reached = #found.groups
  for _, name in ipairs(found.groups) do
    entry.delivery = head.qos .. ',' .. flag
    if join(c, name, entry) then
      remark(c, index, 'g', name)
      announce(c, name, head.publisher)
    end
  end
  for _, session in ipairs(found.sessions) do
    local own = head.publisher == '1' .. session.client
    local taken = own and session.own or session.others
    if hasRemains(c, session.client) then taken = receptionOfRemains(c, session.client, found.filters, own) end
    if taken.any and taken.qos ~= '0' then
      reached = reached + 1
      entry.delivery = deliveryOf(taken, head.qos, flag)
      append(c, session.client, entry)
    end
  end
  return reached
end

-- Whether a will is still to be stored, which it is by this. Confirmed, it has been.
local function isFirst(c, will)
  return call('HEXISTS', c.base .. 'w', will) == 1 and call('HSETNX', c.base .. 'w', storedWill(will), 1) == 1
end

-- Stores one message. Returns how many it is for (undefined: no filter matches), or that it failed, and with what.
local function publishOne(c, head, packetId, record, index)
  local receipts = c.base .. 'i:' .. head.client
  if not head.mayPublish then
    -- Its client is elsewhere by now. What this session has stored itself is stored.
    if packetId > 0 and call('HGET', receipts, packetId) == head.epoch then return 0 end
    return failed, 'FENCED'
  end
  -- Stored with its id before: this is the repetition of a call whose answer got lost.
  if packetId > 0 and call('HSETNX', receipts, packetId, head.epoch) == 0 then return 0 end
  if head.will ~= '' and not isFirst(c, head.will) then return 0 end
  if head.retained == 's' then
    retain(c, head.topic, record, head.expires)
  elseif head.retained == 'd' then
    removeRetained(c, head.topic)
  end
  if head.qos == '0' then return 0 end
  local found = matching(c, head.topic)
  if found.reached == 0 then return end
  if mustWait(c, head, found) then
    remark(c, index, 'f', fanOut(c, head, record, found))
    return found.reached
  end
  spend(c, found.reached * weightOf(head.bytes))
  return giveToAll(c, head, record, index, found)
end

-- The place of a text in a list that has each once, from 0 on.
local function placeIn(list, text)
  local place = list.places[text]
  if not place then
    place = #list
    list[place + 1] = text
    list.places[text] = place
  end
  return place
end

-- Whether the call was carried out that its broker has made before: Redis may have refused that one, and a publisher that sends both
-- messages again would have them in another order. 'NUMBER,NUMBER': of this call, and of the one before (0: it need not have been).
local function isInOrder(c, chained)
  local number, behind = string.match(chained, '^(%d+),(%d+)$')
  local key = c.base .. 'calls'
  if behind ~= '0' and call('HGET', key, c.instance) ~= behind then return false end
  call('HSET', key, c.instance, number)
  return true
end

-- now, instance, limits, the place of the call among those of its broker, and the messages: for each its packet id (0: none), the lengths of its head and its record, and these two.
-- What one of them fails with does not concern the others.
--
-- Answers: for each message how many it was for, how many sessions of this broker are offered it, and of each where epoch and delivery
-- stand, and the sequence; the epochs; the deliveries; remarks (the number of a message, 'e' and what it failed with, 'g' and a group
-- it waits in, or 'f' and the number of its fan-out); what was dropped; the number of the last new filter.
F.publish = function(keys, args)
  local c = begin(keys, args[1], args[2], args[3])
  if not isInOrder(c, args[4]) then return redis.error_reply('BEHIND messages before these have not been stored') end
  c.heads, c.remarks = {}, {}
  local messages, at, index = args[5], 1, 0
  local results, epochs, deliveries = {}, { places = {} }, { places = {} }
  while at <= #messages do
    local packetId, headLength, recordLength, headAt = struct.unpack('>I2I4I4', messages, at)
    local recordAt = headAt + headLength
    at = recordAt + recordLength
    local record = string.sub(messages, recordAt, at - 1)
    local done, head, reached, reason
    c.own = {}
    done, head = pcall(headOf, c, string.sub(messages, headAt, recordAt - 1))
    if done then done, reached, reason = pcall(publishOne, c, head, packetId, record, index) else reached = head end
    if not done then
      reached, reason = failed, type(reached) == 'table' and reached.err or tostring(reached)
      -- The client will send it again.
      if packetId > 0 and type(head) == 'table' then redis.pcall('HDEL', c.base .. 'i:' .. head.client, packetId) end
      if type(head) == 'table' and head.will ~= '' then redis.pcall('HDEL', c.base .. 'w', storedWill(head.will)) end
    end
    if reason then remark(c, index, 'e', reason) end
    results[#results + 1] = struct.pack('>I4I4', reached or noFilter, #c.own / 3)
    for place = 1, #c.own, 3 do
      results[#results + 1] = struct.pack('>I4I4d', placeIn(epochs, c.own[place]), placeIn(deliveries, c.own[place + 2]), c.own[place + 1])
    end
    offer(c, record)
    index = index + 1
  end
  finish(c)
  return { table.concat(results), epochs, deliveries, c.remarks, c.drops, c.routes or 0 }
end
`
