/** Who subscribes to what: per client, per filter, and a tree of levels in one hash, so that a topic meets its filters without
 * a look at the others. MQTT 5.0 §4.7
 *
 * A node of the tree is the path of levels, each with `/` before it, or a digest where that is long: a filter of many levels would be there
 * once for each of them. Its value counts the filters that lead through it. */
export const subscriptions: string = String.raw`
-- What was found out about the takers of a topic holds no longer.
local function changed(c)
  generationIn(c)
  if call('HINCRBY', c.base .. 'nv', 'version', 1) > 1 then return end
  -- They begin with the time, so that the numbers of a tree that was lost don't come again.
  local now = whole(microseconds())
  call('HSET', c.base .. 'nv', 'version', now, 'routes', now)
end

-- Bytes of the longest path that is a node by itself.
local longestPath = 100

-- The node that a level leads to.
local function nodeBehind(path, level)
  local longer = path .. '/' .. level
  -- No topic has that first character.
  return #longer <= longestPath and longer or '\0' .. redis.sha1hex(longer)
end

local function walk(c, filter, by)
  local path = ''
  for level in string.gmatch(filter .. '/', '([^/]*)/') do
    path = nodeBehind(path, level)
    if call('HINCRBY', c.base .. 'n', path, by) <= 0 then call('HDEL', c.base .. 'n', path) end
  end
  if call('EXISTS', c.base .. 'n') == 0 then call('DEL', c.base .. 'nv') end
end

-- Whether the filter has any taker.
local function isRouted(c, filter)
  return call('EXISTS', c.base .. 'f:' .. filter) == 1
end

-- Before the filter gets a taker.
local function routeFirst(c, filter)
  if isRouted(c, filter) then return end
  walk(c, filter, 1)
  c.routed[#c.routed + 1] = filter
end

local function route(c, filter, client, options)
  changed(c)
  routeFirst(c, filter)
  if call('HSET', c.base .. 'f:' .. filter, '>' .. client, options) == 1 then passOver(c, filter, '>' .. client) end
end

local function unroute(c, filter, client)
  if call('HDEL', c.base .. 'f:' .. filter, '>' .. client) == 0 then return end
  changed(c)
  if not isRouted(c, filter) then walk(c, filter, -1) end
end

local function plainOf(filter)
  return string.match(filter, '^%$share/[^/]+/(.*)$')
end

local function leaveGroup(c, name, client)
  local members = c.base .. 'm:' .. name
  if call('HDEL', members, client) == 0 or call('EXISTS', members) == 1 then return end
  changed(c)
  local filter = plainOf(name)
  c.queued = c.queued - call('ZCARD', c.base .. 'gz:' .. name)
  call('UNLINK', c.base .. 'gz:' .. name, c.base .. 'gm:' .. name, c.base .. 'gs:' .. name)
  call('HDEL', c.base .. 'f:' .. filter, name)
  if not isRouted(c, filter) then walk(c, filter, -1) end
end

local function joinGroup(c, name, client, options)
  if call('EXISTS', c.base .. 'm:' .. name) == 0 then
    changed(c)
    local filter = plainOf(name)
    routeFirst(c, filter)
    call('HSET', c.base .. 'f:' .. filter, name, '')
    passOver(c, filter, name)
    -- Tells a group from a later one of the same name.
    call('HSET', c.base .. 'gs:' .. name, 'birth', whole(birthIn(c)))
  end
  call('HSET', c.base .. 'm:' .. name, client, options)
end

local function removeSubscription(c, client, filter)
  if call('HDEL', c.base .. 'u:' .. client, filter) == 0 then return 0 end
  if plainOf(filter) then leaveGroup(c, filter, client) else unroute(c, filter, client) end
  count(c, 'subscriptions', -1)
  return 1
end

-- Those of the steps whose nodes are in the tree. In parts, since a call takes less than 8000 arguments.
local function stepsAmong(c, steps)
  local found, nodes = {}, {}
  for index, step in ipairs(steps) do nodes[index] = step.node end
  for from = 1, #nodes, 4000 do
    local through = math.min(from + 3999, #nodes)
    local there = call('HMGET', c.base .. 'n', unpack(nodes, from, through))
    for index = from, through do
      if there[index - from + 1] then found[#found + 1] = steps[index] end
    end
  end
  return found
end

-- A step from one node to the next, with the filter up to there.
local function stepTo(step, level)
  return { node = nodeBehind(step.node, level), filter = step.filter .. '/' .. level, isLast = level == '#' }
end

-- The filters that match, each with a '/' before it.
local function search(c, topic)
  local frontier, found = { { node = '', filter = '' } }, {}
  local reserved = string.sub(topic, 1, 1) == '$'
  for level in string.gmatch(topic .. '/', '([^/]*)/') do
    local steps = {}
    for _, step in ipairs(frontier) do
      steps[#steps + 1] = stepTo(step, level)
      if not reserved then
        steps[#steps + 1] = stepTo(step, '+')
        steps[#steps + 1] = stepTo(step, '#')
      end
    end
    reserved = false
    frontier = {}
    for _, step in ipairs(stepsAmong(c, steps)) do
      if step.isLast then found[#found + 1] = step.filter else frontier[#frontier + 1] = step end
    end
    if #frontier == 0 then return found end
  end
  local steps = {}
  for _, step in ipairs(frontier) do
    found[#found + 1] = step.filter
    steps[#steps + 1] = stepTo(step, '#')
  end
  for _, step in ipairs(stepsAmong(c, steps)) do found[#found + 1] = step.filter end
  return found
end

-- now, instance, client, epoch, then filter and options for each: whether each was there, the number of the last new filter, and who
-- has to know it
F.subscribe = function(keys, args)
  local c = begin(keys, args[1], args[2])
  local client, epoch = args[3], args[4]
  if not owns(c, client, epoch) then return fenced(client, epoch) end
  local stored = call('HGET', c.base .. 's:' .. client, 'interval') ~= '0'
  local answers = {}
  for index = 5, #args, 2 do
    local filter, options = args[index], args[index + 1]
    local before = call('HGET', c.base .. 'u:' .. client, filter)
    -- One that is replaced keeps its place in the order of subscribing.
    local ordinal = before and string.match(before, '%d+$') or call('HINCRBY', c.base .. 's:' .. client, 'ordinal', 1)
    options = options .. ',' .. ordinal
    call('HSET', c.base .. 'u:' .. client, filter, options)
    if not before then count(c, 'subscriptions', 1) end
    if plainOf(filter) then joinGroup(c, filter, client, options) elseif stored then route(c, filter, client, options) end
    answers[#answers + 1] = before and 1 or 0
  end
  return { answers, finish(c) }
end

-- now, instance, milliseconds for which the broker answers for itself which topics nobody takes: the number of the last new filter
F.follow = function(keys, args)
  generationIn({ base = keys[1] })
  local followers, now = keys[1] .. 'fo', microseconds()
  call('ZREMRANGEBYSCORE', followers, '-inf', whole(now))
  call('ZADD', followers, whole(now + args[3] * 1000), args[2])
  return tonumber(call('HGET', keys[1] .. 'nv', 'routes') or 0)
end

-- now, instance, client, epoch, filters: whether each was there
F.unsubscribe = function(keys, args)
  local c = begin(keys, args[1], args[2])
  local client, epoch = args[3], args[4]
  if not owns(c, client, epoch) then return fenced(client, epoch) end
  local answers = {}
  for index = 5, #args do answers[#answers + 1] = removeSubscription(c, client, args[index]) end
  finish(c)
  return answers
end
`
