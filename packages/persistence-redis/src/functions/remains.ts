/** Subscriptions of sessions that have ended, or are stored no more: too many for one call to take them out of the filters' own lists. Until
 * they are, what those lists have of these clients is not relied on. MQTT 5.0 §3.1.2.4
 *
 * `ended` lists what is to be done: `NUMBER CLIENT` for a session that has ended, whose subscriptions `x:NUMBER` has now; ` CLIENT` for one
 * that is there. `ended-of` counts them by client. */
export const remains: string = String.raw`
-- Subscriptions up to which a session ends at once.
local mostAtOnce = 64

local function hasRemains(c, client)
  if c.hasEnded == nil then c.hasEnded = call('EXISTS', c.base .. 'ended-of') == 1 end
  return c.hasEnded and call('HEXISTS', c.base .. 'ended-of', client) == 1
end

local function leave(c, client, number)
  call('RPUSH', c.base .. 'ended', number .. ' ' .. client)
  call('HINCRBY', c.base .. 'ended-of', client, 1)
  c.hasEnded = true
end

-- The session is there no more, and has none of its subscriptions.
local function removeSubscriptions(c, client)
  local key = c.base .. 'u:' .. client
  local size = call('HLEN', key)
  if size == 0 then return end
  if size > mostAtOnce then
    local number = whole(birthIn(c))
    call('RENAME', key, c.base .. 'x:' .. number)
    count(c, 'subscriptions', -size)
    leave(c, client, number)
    return
  end
  spend(c, size)
  for _, filter in ipairs(call('HKEYS', key)) do removeSubscription(c, client, filter) end
end

-- The session has become a stored one, or ceased to be: only then do its plain subscriptions attract messages.
local function reroute(c, client, stored)
  if not stored and call('HLEN', c.base .. 'u:' .. client) > mostAtOnce then
    leave(c, client, '')
    return
  end
  local all = call('HGETALL', c.base .. 'u:' .. client)
  for index = 1, #all, 2 do
    if not plainOf(all[index]) then
      if stored then route(c, all[index], client, all[index + 1]) else unroute(c, all[index], client) end
    end
  end
end

local function removeRemains(c, client, filter)
  local has = call('HEXISTS', c.base .. 'u:' .. client, filter) == 1
  if plainOf(filter) then
    if not has then leaveGroup(c, filter, client) end
  elseif not has or (call('HGET', c.base .. 's:' .. client, 'interval') or '0') == '0' then
    unroute(c, filter, client)
  end
end

-- Goes on with one of the list. Whether it is done.
local function tidyOne(c, number, client)
  local key = number == '' and c.base .. 'u:' .. client or c.base .. 'x:' .. number
  -- Not from the beginning: what is removed leaves empty places there.
  local cursor = call('HGET', c.base .. 'worker', 'cursor') or '0'
  repeat
    local found = call('HSCAN', key, cursor, 'COUNT', 64)
    for index = 1, #found[2], 2 do
      local filter = found[2][index]
      if number ~= '' or not plainOf(filter) then removeRemains(c, client, filter) end
      if number ~= '' then call('HDEL', key, filter) end
      spend(c, 1)
    end
    cursor = found[1]
    spend(c, 2)
  until cursor == '0' or isTired(c)
  if cursor == '0' and (number == '' or call('EXISTS', key) == 0) then return true end
  call('HSET', c.base .. 'worker', 'cursor', cursor, 'generation', whole(generationIn(c)))
  return false
end

-- Goes on with the list. Whether all is done.
local function tidy(c)
  -- A cursor means nothing to another process.
  if call('HGET', c.base .. 'worker', 'generation') ~= whole(generationIn(c)) then call('HDEL', c.base .. 'worker', 'cursor') end
  while not isTired(c) do
    local first = call('LINDEX', c.base .. 'ended', 0)
    if not first then return true end
    local number, client = string.match(first, '^(%d*) (.*)$')
    if tidyOne(c, number, client) then
      call('LPOP', c.base .. 'ended')
      call('HDEL', c.base .. 'worker', 'cursor')
      if call('HINCRBY', c.base .. 'ended-of', client, -1) <= 0 then call('HDEL', c.base .. 'ended-of', client) end
    end
  end
  return call('EXISTS', c.base .. 'ended') == 0
end
`
