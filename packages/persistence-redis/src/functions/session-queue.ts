/** The queue of a session: a stream whose ids are the sequences, with what waits counted in the session's hash.
 *
 * An entry waits when its sequence is above `taken` and it was not claimed from a group. */
export const queue: string = String.raw`
local unlimited = 4294967295

local function entryOf(fields)
  -- As 'add' writes it.
  local bytes, expires, delivery = string.match(fields[4], '^(%d+);(%d*);(.*)$')
  return { record = fields[2], delivery = delivery, bytes = tonumber(bytes), expires = expires }
end

local function idOf(sequence) return whole(sequence) .. '-0' end

local function add(c, client, sequence, entry)
  call('XADD', c.base .. 'q:' .. client, idOf(sequence), 'm', entry.record,
    'd', entry.bytes .. ';' .. entry.expires .. ';' .. entry.delivery)
  c.queued = c.queued + 1
end

-- A stream begins with a block of 4 KB. Read anew from what is written of it, it takes what it holds, and grows from there. Who may not
-- call these commands goes without.
local function compact(c, client)
  local key = c.base .. 'q:' .. client
  local dump = redis.pcall('DUMP', key)
  if type(dump) == 'string' then redis.pcall('RESTORE', key, 0, dump, 'REPLACE') end
end

-- Entries of a queue that is made compact when its session is closed.
local mostCompacted = 32

local function remove(c, client, sequence)
  local removed = call('XDEL', c.base .. 'q:' .. client, idOf(sequence))
  c.queued = c.queued - removed
  return removed
end

local function sequenceOf(id)
  return tonumber(string.match(id, '^%d+'))
end

local function isClaimed(c, client, sequence)
  return call('HEXISTS', c.base .. 'g:' .. client, sequence) == 1
end

-- Of 'messages,bytes,overflow'.
local function limitsOf(text)
  local messages, bytes, overflow = string.match(text, '^(%d+),(%d+),(%a+)$')
  return { messages = tonumber(messages), bytes = tonumber(bytes), oldest = overflow == 'dropOldest' }
end

-- Drops the oldest waiting entries until there is room for one more of that size. Whether there is.
local function makeRoom(c, client, state, bytes, limitsText, places)
  local limits = limitsOf(limitsText)
  if state.waiting + places <= limits.messages and state.waitingBytes + bytes <= limits.bytes then return true end
  local possible = limits.messages > 0 and bytes <= limits.bytes and limits.oldest
  local dropped, after = 0, state.taken
  while possible and (state.waiting + places > limits.messages or state.waitingBytes + bytes > limits.bytes) do
    local found = call('XRANGE', c.base .. 'q:' .. client, '(' .. idOf(after), '+', 'COUNT', 1)[1]
    if not found then break end
    after = sequenceOf(found[1])
    if not isClaimed(c, client, after) then
      remove(c, client, after)
      state.waiting = state.waiting - 1
      state.waitingBytes = state.waitingBytes - entryOf(found[2]).bytes
      dropped = dropped + 1
    end
  end
  local room = state.waiting + places <= limits.messages and state.waitingBytes + bytes <= limits.bytes
  if not room then dropped = dropped + places end
  drop(c, client, 'queueFull', dropped)
  return room
end

-- Distance of packet ids: sequences of a new generation begin half of them away from those that a client may still know.
local packetIds, awayFromLast = 65535, 32768

local function loadState(c, client)
  local key = c.base .. 's:' .. client
  local s = call('HMGET', key, 'last', 'taken', 'sent', 'behind', 'waiting', 'waitingBytes', 'owner', 'epoch', 'generation',
    'fanOut')
  local state = {
    last = tonumber(s[1] or 0), taken = tonumber(s[2] or 0), sent = tonumber(s[3] or 0), behind = s[4] == '1',
    waiting = tonumber(s[5] or 0), waitingBytes = tonumber(s[6] or 0), owner = s[7], epoch = s[8],
    -- Number of the last fan-out that the session was given.
    fanOut = tonumber(s[10] or 0),
  }
  if tonumber(s[9] or 0) ~= generationIn(c) then
    local floor = floorOf(c)
    state.last = floor + (state.last + awayFromLast - floor) % packetIds
    call('HSET', key, 'generation', c.generation, 'last', state.last)
  end
  return state
end

local function saveState(c, client, state)
  call('HSET', c.base .. 's:' .. client, 'last', state.last, 'taken', state.taken, 'sent', state.sent, 'behind',
    state.behind and '1' or '0', 'waiting', state.waiting, 'waitingBytes', state.waitingBytes)
end

local function stateOf(c, client)
  local state = c.states[client]
  if not state then
    state = loadState(c, client)
    c.states[client] = state
  end
  return state
end

-- An owner that is not behind is offered the entry and taken to take it; when it does not, it says so ('behind'). The state is written
-- by 'finish'.
local function append(c, client, entry)
  local state = stateOf(c, client)
  if not state.isAppended then
    state.isAppended = true
    c.appended[#c.appended + 1] = client
  end
  if state.owner and not state.behind then
    local sequence = state.last + 1
    add(c, client, sequence, entry)
    state.last, state.taken = sequence, sequence
    local offers = c.own
    if state.owner ~= c.instance then
      offers = c.remote[state.owner]
      if not offers then
        offers = {}
        c.remote[state.owner] = offers
      end
    end
    local size = #offers
    offers[size + 1], offers[size + 2], offers[size + 3] = state.epoch, sequence, entry.delivery
    return
  end
  if not makeRoom(c, client, state, entry.bytes, c.limitsText, 1) then return end
  add(c, client, state.last + 1, entry)
  if state.waiting == 0 and call('XLEN', c.base .. 'q:' .. client) == 1 then compact(c, client) end
  state.last = state.last + 1
  state.waiting = state.waiting + 1
  state.waitingBytes = state.waitingBytes + entry.bytes
end

-- Counts again what waits above 'taken'.
local function recount(c, client, state)
  state.waiting, state.waitingBytes = 0, 0
  local after = state.taken
  while true do
    local page = call('XRANGE', c.base .. 'q:' .. client, '(' .. idOf(after), '+', 'COUNT', 256)
    for _, item in ipairs(page) do
      after = sequenceOf(item[1])
      if not isClaimed(c, client, after) then
        state.waiting = state.waiting + 1
        state.waitingBytes = state.waitingBytes + entryOf(item[2]).bytes
      end
    end
    if #page < 256 then return end
  end
end

-- From now on what is above this sequence is not taken. What lies between is counted, not all that waits.
local function setTaken(c, client, state, taken)
  local after, through = math.min(state.taken, taken), math.max(state.taken, taken)
  local by = taken < state.taken and 1 or -1
  while after < through do
    local page = call('XRANGE', c.base .. 'q:' .. client, '(' .. idOf(after), idOf(through), 'COUNT', 256)
    for _, item in ipairs(page) do
      after = sequenceOf(item[1])
      if not isClaimed(c, client, after) then
        state.waiting = state.waiting + by
        state.waitingBytes = state.waitingBytes + by * entryOf(item[2]).bytes
      end
    end
    if #page < 256 then break end
  end
  state.taken = taken
end

-- now, instance, client, epoch, limits, 1: only what is still retained, then record, delivery, bytes, expires for each
F.enqueue = function(keys, args)
  local c = begin(keys, args[1], args[2], args[5])
  local client, epoch = args[3], args[4]
  if not owns(c, client, epoch) then return fenced(client, epoch) end
  for index = 7, #args, 4 do
    if args[6] ~= '1' or isRetained(c, args[index]) then append(c, client, { record = args[index], delivery = args[index + 1], bytes = tonumber(args[index + 2]),
      expires = args[index + 3] }) end
  end
  finish(c)
  return { c.own, c.drops }
end

-- now, instance, client, epoch, taken, limits: the owner has no room for what comes after 'taken'
F.behind = function(keys, args)
  local c = begin(keys, args[1], args[2])
  local client, epoch = args[3], args[4]
  if not owns(c, client, epoch) then return fenced(client, epoch) end
  local state = loadState(c, client)
  state.behind = true
  setTaken(c, client, state, tonumber(args[5]))
  local limits = limitsOf(args[6])
  if limits.oldest then
    makeRoom(c, client, state, 0, args[6], 0)
  else
    -- The newest, from the end.
    local dropped = 0
    while state.waiting > limits.messages or state.waitingBytes > limits.bytes do
      local found = call('XREVRANGE', c.base .. 'q:' .. client, '+', '(' .. idOf(state.taken), 'COUNT', 1)[1]
      if not found then break end
      remove(c, client, sequenceOf(found[1]))
      state.waiting = state.waiting - 1
      state.waitingBytes = state.waitingBytes - entryOf(found[2]).bytes
      dropped = dropped + 1
    end
    drop(c, client, 'queueFull', dropped)
  end
  saveState(c, client, state)
  finish(c)
  return { {}, c.drops }
end

-- Expired entries that one call drops at most: Redis is busy with them for some milliseconds.
local largestExpired = 500

-- now, instance, client, epoch, after, limit: entries, whether the owner has caught up, the newest sequence, what was dropped, up to which
-- sequence it has looked. When that was too much for one call there are fewer entries than asked for, and more to look at.
F.read = function(keys, args)
  local c = begin(keys, args[1], args[2])
  local client, epoch, after, limit = args[3], args[4], tonumber(args[5]), tonumber(args[6])
  if not owns(c, client, epoch) then return fenced(client, epoch) end
  local state = loadState(c, client)
  local entries, expired, ended, started = {}, 0, false, state.taken
  local highest = state.taken
  while not ended and #entries < limit * 4 and expired < largestExpired do
    local asked = math.min(limit - #entries / 4, 256)
    local page = call('XRANGE', c.base .. 'q:' .. client, '(' .. idOf(after), '+', 'COUNT', asked)
    ended = #page < asked
    for _, item in ipairs(page) do
      local entry = entryOf(item[2])
      after = sequenceOf(item[1])
      local waits = after > started and not isClaimed(c, client, after)
      if waits then
        state.waiting = state.waiting - 1
        state.waitingBytes = state.waitingBytes - entry.bytes
      end
      if waits and entry.expires ~= '' and tonumber(entry.expires) <= timeOf(c) then
        remove(c, client, after)
        expired = expired + 1
      else
        local size = #entries
        entries[size + 1], entries[size + 2], entries[size + 4] = after, entry.delivery, entry.record
        entries[size + 3] = call('HEXISTS', c.base .. 'r:' .. client, after)
        if after > highest then highest = after end
      end
    end
  end
  if not ended then ended = #call('XRANGE', c.base .. 'q:' .. client, '(' .. idOf(after), '+', 'COUNT', 1) == 0 end
  -- Read from below: what lies between is not taken by this, and goes on waiting.
  state.taken = highest
  if ended then state.behind = false end
  if state.waiting < 0 then recount(c, client, state) end
  drop(c, client, 'expired', expired)
  saveState(c, client, state)
  finish(c)
  return { entries, ended and 1 or 0, state.last, c.drops, after }
end

-- now, instance, client, epoch, sequence: the entry, if there is one
F.entry = function(keys, args)
  local c = begin(keys, args[1], args[2])
  local client, epoch, sequence = args[3], args[4], tonumber(args[5])
  if not owns(c, client, epoch) then return fenced(client, epoch) end
  local found = call('XRANGE', c.base .. 'q:' .. client, idOf(sequence), idOf(sequence))[1]
  if not found then return {} end
  local entry = entryOf(found[2])
  return { sequence, entry.delivery, call('HEXISTS', c.base .. 'r:' .. client, sequence), entry.record }
end

-- now, instance, client, epoch, from: entries that were offered and may not have arrived, and the newest sequence. Its owner is not
-- behind, though an older Redis may think so.
F.missed = function(keys, args)
  local c = begin(keys, args[1], args[2])
  local client, epoch = args[3], args[4]
  if not owns(c, client, epoch) then return fenced(client, epoch) end
  local state = loadState(c, client)
  local entries = {}
  local page = call('XRANGE', c.base .. 'q:' .. client, args[5] .. '-0', '+', 'COUNT', 1000)
  for _, item in ipairs(page) do
    local entry, sequence = entryOf(item[2]), sequenceOf(item[1])
    if not isClaimed(c, client, sequence) then
      local size = #entries
      entries[size + 1], entries[size + 2], entries[size + 3], entries[size + 4] = sequence, entry.delivery, 0, entry.record
    end
  end
  if state.behind and #page < 1000 then
    state.behind = false
    setTaken(c, client, state, state.last)
    saveState(c, client, state)
  end
  return { entries, state.last }
end
`
