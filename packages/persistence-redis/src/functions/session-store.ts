/** Sessions: who owns them, when they end, and the wills that go with them. */
export const sessions: string = String.raw`
-- At the same moment a will is due before its session ends: members are ordered by their text then.
local function willMember(client) return '1' .. client end
local function expiryMember(client) return '2' .. client end
local function claimMember(epoch) return '3' .. epoch end

-- A broker gets a will to publish: it comes back when that broker has not confirmed it by then, since it may have died. A will is
-- named by the epoch it was set with.
local willClaimDuration = 30000

-- In 'w', that a will was stored, though nobody has confirmed it yet: however often it comes back, it is not stored again.
local function storedWill(epoch) return 's' .. epoch end

local function handOut(c, epoch, will)
  if not will or will == '' then return '' end
  call('HSET', c.base .. 'w', epoch, will)
  call('ZADD', c.base .. 't', timeOf(c) + willClaimDuration, claimMember(epoch))
  return will
end

local function setInterval(c, client, interval)
  local key = c.base .. 's:' .. client
  local was = (call('HGET', key, 'interval') or '0') ~= '0'
  local is = interval ~= '0'
  call('HSET', key, 'interval', interval)
  if was == is then return end
  count(c, 'sessions', is and 1 or -1)
  reroute(c, client, is)
end

local function clearDeadlines(c, client)
  call('ZREM', c.base .. 't', willMember(client), expiryMember(client))
end

local function disown(c, client)
  local owner = call('HGET', c.base .. 's:' .. client, 'owner')
  if owner then call('SREM', c.base .. 'on:' .. owner, client) end
  call('HDEL', c.base .. 's:' .. client, 'owner')
end

local function endSession(c, client, sent)
  returnClaims(c, client, sent)
  spend(c, 2)
  removeSubscriptions(c, client)
  setInterval(c, client, '0')
  c.queued = c.queued - call('XLEN', c.base .. 'q:' .. client)
  disown(c, client)
  clearDeadlines(c, client)
  call('UNLINK', c.base .. 's:' .. client, c.base .. 'q:' .. client, c.base .. 'i:' .. client, c.base .. 'r:' .. client,
    c.base .. 'g:' .. client)
end

-- Nothing is delivered any more; what was taken and not sent waits again.
local function detach(c, client, sent)
  local state = loadState(c, client)
  returnClaims(c, client, sent)
  if sent > state.sent then state.sent = sent end
  setTaken(c, client, state, state.sent)
  state.behind = false
  saveState(c, client, state)
  disown(c, client)
  local length = call('XLEN', c.base .. 'q:' .. client)
  if length > 0 and length <= mostCompacted then compact(c, client) end
end

local function setDeadlines(c, client, interval, willDelay)
  if willDelay then
    call('ZADD', c.base .. 't', timeOf(c) + math.min(willDelay, interval) * 1000, willMember(client))
  end
  if interval ~= unlimited then call('ZADD', c.base .. 't', timeOf(c) + interval * 1000, expiryMember(client)) end
end

-- The will of a previous connection that is due now: its delay has passed, or does not count since the session ends.
local function takeDueWill(c, client, goesOn, wasOpen)
  local key = c.base .. 's:' .. client
  local will = call('HMGET', key, 'will', 'willDelay')
  if not will[1] then return '' end
  call('HDEL', key, 'will', 'willDelay')
  if not goesOn then return will[1] end
  if wasOpen then return tonumber(will[2]) == 0 and will[1] or '' end
  local at = call('ZSCORE', c.base .. 't', willMember(client))
  return at and tonumber(at) <= timeOf(c) and will[1] or ''
end

-- now, instance, client, epoch, cleanStart, interval, will, willDelay, maximumSessions
F.open = function(keys, args)
  local c = begin(keys, args[1], args[2])
  -- Nobody would sweep it.
  if not isThere(c, c.instance) then
    return redis.error_reply('LEASE of broker ' .. c.instance .. ' has ended')
  end
  local client, epoch, cleanStart, interval = args[3], args[4], args[5] == '1', args[6]
  local key = c.base .. 's:' .. client
  local previous = call('HMGET', key, 'epoch', 'owner', 'interval', 'taken')
  local wasOpen, wasStored = previous[2], (previous[3] or '0') ~= '0'
  if interval ~= '0' and not wasStored then
    local stored = tonumber(call('HGET', c.base .. 'counts', 'sessions') or 0)
    if stored >= tonumber(args[9]) then
      return redis.error_reply('QUOTA ' .. stored .. ' sessions are stored, the limit is maximumSessions of ' .. args[9])
    end
  end
  local goesOn = false
  if previous[1] and not cleanStart and wasStored then
    local expiry = call('ZSCORE', c.base .. 't', expiryMember(client))
    goesOn = not expiry or tonumber(expiry) > timeOf(c)
  end
  local dueWill = ''
  if previous[1] then
    dueWill = handOut(c, previous[1], takeDueWill(c, client, goesOn, wasOpen))
    if not goesOn then endSession(c, client, mayBeSent(c, client, previous[4])) end
  end
  if wasOpen and wasOpen ~= c.instance then tell(c, wasOpen, { 'f', client, previous[1] }) end
  clearDeadlines(c, client)
  if wasOpen then call('SREM', c.base .. 'on:' .. wasOpen, client) end
  call('SADD', c.base .. 'on:' .. c.instance, client)
  -- One that begins counts from 1.
  if not goesOn and generationIn(c) ~= 0 then call('HSET', key, 'generation', c.generation) end
  if goesOn then call('HDEL', key, 'new') else call('HSET', key, 'new', 1) end
  local state = loadState(c, client)
  state.sent = math.max(state.sent, mayBeSent(c, client, state.taken))
  state.behind = call('EXISTS', c.base .. 'q:' .. client) == 1
  saveState(c, client, state)
  call('HSET', key, 'epoch', epoch, 'owner', c.instance)
  setInterval(c, client, interval)
  if args[7] ~= '' then call('HSET', key, 'will', args[7], 'willDelay', args[8]) end
  finish(c)
  -- Many are asked for page by page.
  local isMany = call('HLEN', c.base .. 'u:' .. client) > 250
  return { goesOn and 1 or 0, isMany and 0 or call('HGETALL', c.base .. 'u:' .. client), call('HKEYS', c.base .. 'i:' .. client), state.sent,
    state.last, state.behind and 1 or 0, dueWill, previous[1] or '', c.ready }
end

-- now, instance, client, epoch, cursor: where to go on ('0': nowhere), and some of its subscriptions, perhaps again
F.subscriptions = function(keys, args)
  local c = begin(keys, args[1], args[2])
  local client, epoch = args[3], args[4]
  if not owns(c, client, epoch) then return fenced(client, epoch) end
  return call('HSCAN', c.base .. 'u:' .. client, args[5], 'COUNT', 250)
end

-- now, instance, client, epoch, interval, publishWill, sent, 1: nobody knows of the opening, so that one which began with it ends. Answers
-- the will to be published now.
F.close = function(keys, args)
  local c = begin(keys, args[1], args[2])
  local client, epoch, interval, sent = args[3], args[4], tonumber(args[5]), tonumber(args[7])
  if not owns(c, client, epoch) then return fenced(client, epoch) end
  local key = c.base .. 's:' .. client
  if args[8] == '1' and call('HEXISTS', key, 'new') == 1 then interval = 0 end
  local will = args[6] == '1' and call('HMGET', key, 'will', 'willDelay') or { false, false }
  if interval == 0 then
    endSession(c, client, sent)
    finish(c)
    return { handOut(c, epoch, will[1]), c.ready }
  end
  detach(c, client, sent)
  setInterval(c, client, args[5])
  local waits = will[1] and tonumber(will[2]) > 0
  if not waits then call('HDEL', key, 'will', 'willDelay') end
  setDeadlines(c, client, interval, waits and tonumber(will[2]))
  finish(c)
  return { handOut(c, epoch, not waits and will[1]), c.ready }
end

-- Retained messages that one call drops: Redis is busy with it for about a millisecond.
local largestDrop = 250

-- now, instance, limit: wills with their epochs and sessions whose time has come, each to one caller; whether there may be more
F.due = function(keys, args)
  local c = begin(keys, args[1], args[2])
  local more = dropExpiredRetained(c, largestDrop) == largestDrop and 1 or 0
  local due = {}
  for _, member in ipairs(call('ZRANGEBYSCORE', c.base .. 't', '-inf', timeOf(c), 'LIMIT', 0, args[3])) do
    if isTired(c) then
      more = 1
      break
    end
    spend(c, 1)
    local kind, name, size = string.sub(member, 1, 1), string.sub(member, 2), #due
    if kind == '1' then
      local state = call('HMGET', c.base .. 's:' .. name, 'will', 'epoch')
      call('HDEL', c.base .. 's:' .. name, 'will', 'willDelay')
      call('ZREM', c.base .. 't', member)
      due[size + 1], due[size + 2], due[size + 3] = 'w', state[2] or '', handOut(c, state[2], state[1])
    elseif kind == '2' then
      endSession(c, name, tonumber(call('HGET', c.base .. 's:' .. name, 'taken') or 0))
      due[size + 1], due[size + 2], due[size + 3] = 'e', name, ''
    else
      due[size + 1], due[size + 2], due[size + 3] = 'w', name, handOut(c, name, call('HGET', c.base .. 'w', name))
    end
  end
  finish(c)
  return { due, c.ready, more }
end

-- now, instance, epochs: their wills are published
F.confirm = function(keys, args)
  local base = keys[1]
  for index = 3, #args do
    call('HDEL', base .. 'w', args[index], storedWill(args[index]))
    call('ZREM', base .. 't', claimMember(args[index]))
  end
end

-- As if the connections of a broker that is gone had ended now. At most so many; how many were left.
local function sweep(c, broker, limit)
  local key = c.base .. 'on:' .. broker
  for _, client in ipairs(call('SRANDMEMBER', key, limit)) do
    if isTired(c) then break end
    spend(c, 2)
    local state = call('HMGET', c.base .. 's:' .. client, 'interval', 'taken', 'will', 'willDelay', 'owner')
    call('SREM', key, client)
    if state[5] == broker then
      local interval, sent = tonumber(state[1]), mayBeSent(c, client, state[2])
      if interval == 0 and not state[3] then
        endSession(c, client, sent)
      else
        detach(c, client, sent)
        setDeadlines(c, client, interval, state[3] and tonumber(state[4]))
      end
    end
  end
  local left = call('SCARD', key)
  if left == 0 then
    call('ZREM', c.base .. 'leases', broker)
    call('HDEL', c.base .. 'told', broker)
    call('ZREM', c.base .. 'fo', broker)
    forgetTasks(c, broker)
    -- One that was taken for dead may have called since, and died then.
    for _, other in ipairs(call('HKEYS', c.base .. 'calls')) do
      if not isThere(c, other) then call('HDEL', c.base .. 'calls', other) end
    end
  end
  return left
end

-- now, instance, milliseconds, whether there was a lease: renews it and takes care of brokers that did not. One whose sweep has begun
-- begins anew after its end.
-- Returns whether the lease was lost meanwhile, how much is left to sweep, how often this broker was told something, groups that are ready,
-- and whether nobody goes on with the fan-outs.
F.lease = function(keys, args)
  local c = begin(keys, args[1], args[2])
  local now, left, lost, isSwept = machineTime(), 0, false, false
  local late = call('ZRANGEBYSCORE', c.base .. 'leases', '-inf', now, 'WITHSCORES')
  for index = 1, #late, 2 do
    local broker, deadline = late[index], late[index + 1]
    -- Nobody else has noticed yet.
    local mayGoOn = broker == c.instance and deadline ~= '0'
    if not mayGoOn then
      if deadline ~= '0' then call('ZADD', c.base .. 'leases', 0, broker) end
      local remains = sweep(c, broker, 100)
      left = left + remains
      if broker == c.instance then
        lost = true
        isSwept = remains > 0
      end
    end
  end
  if not isSwept and call('ZADD', c.base .. 'leases', now + args[3], c.instance) == 1 then lost = true end
  finish(c)
  return { lost and args[4] == '1' and 1 or 0, left, tonumber(call('HGET', c.base .. 'told', c.instance) or 0), c.ready,
    hasStopped(c) and 1 or 0 }
end

-- now, instance: the broker goes
F.leave = function(keys, args)
  local c = begin(keys, args[1], args[2])
  call('ZADD', c.base .. 'leases', 0, c.instance)
  giveUpWork(c)
  local left = sweep(c, c.instance, 100)
  finish(c)
  return left
end

-- now, instance: numbers of news that are not above this come from a Redis that is no more
F.floor = function(keys) return floorOf({ base = keys[1] }) end

F.counts = function(keys)
  local base = keys[1]
  local counts = call('HMGET', base .. 'counts', 'sessions', 'subscriptions', 'queued')
  return { tonumber(counts[1] or 0), tonumber(counts[2] or 0), tonumber(counts[3] or 0), call('ZCARD', base .. 'rx') }
end
`
