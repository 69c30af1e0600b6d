/** Who takes nothing of the fan-outs that are under way. */
export const fanOutsUnderWay: string = String.raw`
local function areUnderWay(c)
  if c.fansOut == nil then c.fansOut = call('EXISTS', c.base .. 'fan') == 1 end
  return c.fansOut
end

local function newTaker(filter, member) return #filter .. ' ' .. filter .. member end

-- Whoever subscribes now takes nothing of what is under way: it may have it already, as a retained message.
local function passOver(c, filter, member)
  if not areUnderWay(c) then return end
  call('HSET', c.base .. 'fan-not', newTaker(filter, member), call('LINDEX', c.base .. 'fan', -1))
end
`

/** Messages that go to more sessions and groups than one call may take: stored once, and given to their takers in as many calls as it
 * needs, by one broker at a time. MQTT 5.0 §4.6
 *
 * `fan` lists their numbers; the first one is under way. `fan:NUMBER` has the message, its filters, and how far it has come. What comes
 * behind one, of its publisher or its topic, waits in the list too, so that all takers have both in the same order: `fan-of` counts them
 * by these. A session or group notes the last number it was given, so that it is given none twice by whichever call. */
export const fanOuts: string = String.raw`
local function topicOf(head) return 't' .. head.topic end
local function publisherOf(head) return 'p' .. head.publisher end

-- A call brings 32 messages at most: those that take so few steps each are stored at once, however late it is. What waits takes twice as
-- long, and everything behind it waits as well, which would begin each time that the system lets Redis rest in the middle of a call.
local fewSteps = 5

-- Whether a message can't be given to all of its takers by this call.
local function mustWait(c, head, found)
  if found.isWide then return true end
  local steps = found.reached * weightOf(head.bytes)
  -- A single taker of a large message can't be divided.
  local isDivisible = c.steps > 0 or found.reached > 1
  if steps > fewSteps and isDivisible and c.steps + steps > mostSteps then return true end
  if not areUnderWay(c) then return false end
  local before = call('HMGET', c.base .. 'fan-of', topicOf(head), publisherOf(head))
  return before[1] ~= false or before[2] ~= false
end

-- Stores a message for those who take it now; returns its number.
local function fanOut(c, head, record, found)
  local number = whole(birthIn(c))
  call('HSET', c.base .. 'fan:' .. number, 'message', record, 'owner', c.instance,
    'head', frame({ head.qos, head.retained == '' and '0' or '1', head.bytes, head.expires, head.publisher, head.topic }),
    'filters', frame(found.filters))
  call('RPUSH', c.base .. 'fan', number)
  call('HINCRBY', c.base .. 'fan-of', topicOf(head), 1)
  call('HINCRBY', c.base .. 'fan-of', publisherOf(head), 1)
  c.fansOut = true
  return number
end

local function isPassedOver(c, message, filter, member)
  if c.passesOver == nil then c.passesOver = call('EXISTS', c.base .. 'fan-not') == 1 end
  if not c.passesOver then return false end
  local last = call('HGET', c.base .. 'fan-not', newTaker(filter, member))
  return last and message.number <= tonumber(last)
end

local function giveToGroup(c, message, name)
  local key = c.base .. 'gs:' .. name
  if tonumber(call('HGET', key, 'fanOut') or 0) >= message.number then return end
  call('HSET', key, 'fanOut', whole(message.number))
  message.reached = message.reached + 1
  message.entry.delivery = message.qos .. ',' .. message.flag
  spend(c, message.weight)
  if not join(c, name, message.entry) then return end
  announce(c, name, message.publisher)
  c.joined[#c.joined + 1] = message.publisher
  c.joined[#c.joined + 1] = name
end

-- How a session gets the message that takes it by this filter, and perhaps by others.
local function receptionOf(c, message, client, text)
  local own = message.publisher == '1' .. client
  if hasRemains(c, client) then return receptionOfRemains(c, client, message.filters, own) end
  if #message.filters > 1 then return receptionNow(c, client, message.filters, own) end
  local known = not own and message.receptions[text]
  if known then return known end
  local found = reception({ optionsOf(text) }, own)
  if not own then message.receptions[text] = found end
  return found
end

local function giveToSession(c, message, client, text)
  local state = stateOf(c, client)
  if state.fanOut >= message.number or state.lookedAtFor == message.number then return end
  state.lookedAtFor = message.number
  local taken = receptionOf(c, message, client, text)
  if not taken.any or taken.qos == '0' then return end
  state.fanOut = message.number
  message.reached = message.reached + 1
  message.entry.delivery = deliveryOf(taken, message.qos, message.flag)
  append(c, client, message.entry)
  spend(c, message.weight)
end

local function messageOf(c, number)
  local fields = call('HMGET', c.base .. 'fan:' .. number, 'message', 'head', 'filters', 'filter', 'cursor', 'generation', 'owner',
    'reached')
  local head = unframe(fields[2])
  local message = {
    number = tonumber(number), reached = tonumber(fields[8] or 0), record = fields[1], owner = fields[7], qos = head[1], flag = head[2], publisher = head[5], topic = head[6],
    weight = weightOf(tonumber(head[3])), filters = unframe(fields[3]), filter = tonumber(fields[4] or 1), cursor = fields[5] or '0',
    entry = { record = fields[1], bytes = tonumber(head[3]), expires = head[4] }, receptions = {},
  }
  -- A cursor means nothing to another process.
  if fields[6] ~= whole(generationIn(c)) then message.filter, message.cursor = 1, '0' end
  return message
end

-- Takers that are looked at together; a look at them counts as so many steps.
local page, stepsOfPage = 64, 4

-- Gives the message to some more of its takers. Whether those were the last ones.
local function giveToSome(c, message)
  while message.filter <= #message.filters do
    local filter = message.filters[message.filter]
    local found = call('HSCAN', c.base .. 'f:' .. filter, message.cursor, 'COUNT', page)
    for index = 1, #found[2], 2 do
      -- Those of the page that have it already are passed over quickly when it is looked at again.
      if isTired(c) then return false end
      local member, text = found[2][index], found[2][index + 1]
      if not isPassedOver(c, message, filter, member) then
        if text == '' then giveToGroup(c, message, member) else giveToSession(c, message, string.sub(member, 2), text) end
      end
    end
    message.cursor = found[1]
    if message.cursor == '0' then message.filter = message.filter + 1 end
    spend(c, stepsOfPage)
    if isTired(c) then return message.filter > #message.filters end
  end
  return true
end

local function stopWaitingFor(c, name)
  if call('HINCRBY', c.base .. 'fan-of', name, -1) <= 0 then call('HDEL', c.base .. 'fan-of', name) end
end

-- Goes on with the first of the list; returns the number of the one that is the first then.
local function giveOn(c, number)
  local message = messageOf(c, number)
  c.own = {}
  local isDone = giveToSome(c, message)
  if #c.own > 0 then
    c.remote[c.instance] = c.own
    c.own = {}
  end
  offer(c, message.record)
  if not isDone then
    call('HSET', c.base .. 'fan:' .. number, 'filter', message.filter, 'cursor', message.cursor, 'generation', whole(generationIn(c)),
      'reached', message.reached)
    return number
  end
  call('UNLINK', c.base .. 'fan:' .. number)
  call('LPOP', c.base .. 'fan')
  stopWaitingFor(c, topicOf(message))
  stopWaitingFor(c, publisherOf(message))
  local done = c.done[message.owner] or {}
  c.done[message.owner] = done
  done[#done + 1], done[#done + 2] = number, message.reached
  return call('LINDEX', c.base .. 'fan', 0)
end
`
