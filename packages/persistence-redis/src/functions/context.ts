/** What all functions share: time, frames, counts, and what is told to brokers when a function ends.
 *
 * A context `c` lives for one call. What other brokers are to be told is collected on the way and told at the end, so that each gets
 * one message for each call; so are the states of sessions that get messages (`c.states`). */
export const context: string = String.raw`
local function begin(keys, now, instance, limits)
  return {
    base = keys[1], instance = instance, given = now, limitsText = limits, queued = 0, drops = {}, ready = {}, states = {}, appended = {},
    -- Of the message at hand: offers to this broker, and to others.
    own = {}, remote = {},
    -- Of all messages so far: what is told to the others.
    news = {}, announced = {},
    -- Filters that nobody had before this call.
    routed = {},
    -- What has been done so far, and how much had been when time was looked at last.
    steps = 0, looked = 0,
  }
end

-- Milliseconds; asked for by those that need it, since every command costs.
local function timeOf(c)
  if not c.now then c.now = c.given == '' and math.floor(microseconds() / 1000) or tonumber(c.given) end
  return c.now
end

-- A call ends between two steps once it has worked for so long (in microseconds), or has done so many steps. One step is about what it
-- takes to put a small message into one queue. Nobody else is served meanwhile.
local longestWork, mostSteps, stepsBetweenLooks = 1500, 160, 16

local function spend(c, steps)
  if not c.begun then c.begun = microseconds() end
  c.steps = c.steps + steps
  if c.steps - c.looked < stepsBetweenLooks then return end
  c.looked = c.steps
  if microseconds() - c.begun > longestWork then c.steps = mostSteps end
end

local function isTired(c) return c.steps >= mostSteps end

-- Steps that a message of this size counts for each of its takers.
local function weightOf(bytes) return 1 + bytes / 8192 end

-- Fields with their lengths before them.
local function frame(fields)
  local parts = {}
  for index, field in ipairs(fields) do
    field = type(field) == 'number' and whole(field) or field
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
  local number, floor = call('HINCRBY', c.base .. 'told', instance, 1), floorOf(c)
  if number <= floor then
    number = floor + 1
    call('HSET', c.base .. 'told', instance, whole(number))
  end
  table.insert(fields, 1, number)
  call('PUBLISH', c.base .. 'c:' .. instance, frame(fields))
end

-- A message of this publisher ('': unknown) waits in a group.
local function announce(c, group, publisher)
  local groups = c.announced[publisher]
  if not groups then
    groups = {}
    c.announced[publisher] = groups
  end
  groups[group] = true
end

-- Other brokers will be told that their sessions have this message, for which 'c.remote' was collected.
local function offer(c, record)
  if not next(c.remote) then return end
  for owner, offers in pairs(c.remote) do
    local fields = c.news[owner]
    if not fields then
      fields = { 'd' }
      c.news[owner] = fields
    end
    fields[#fields + 1] = record
    fields[#fields + 1] = #offers / 3
    for _, field in ipairs(offers) do fields[#fields + 1] = field end
  end
  c.remote = {}
end

-- Those that answer for themselves which topics nobody takes are told of new filters, with a number that ascends by one. Returns it,
-- and who they are: all that is acknowledged to a subscriber from now on they must know, or have stopped to answer.
local function tellRoutes(c)
  if #c.routed == 0 then return 0, {} end
  generationIn(c)
  local number = call('HINCRBY', c.base .. 'nv', 'routes', 1)
  local followers = call('ZRANGEBYSCORE', c.base .. 'fo', '(' .. whole(microseconds()), '+inf')
  if #followers > 0 then
    local fields = { whole(number), c.instance }
    for _, filter in ipairs(c.routed) do fields[#fields + 1] = filter end
    call('PUBLISH', c.base .. 'n', frame(fields))
  end
  return number, followers
end

-- Milliseconds of Redis' own time, whatever the brokers' clock says.
local function machineTime() return math.floor(microseconds() / 1000) end

-- Those that are there have a deadline in 'leases', those that are being swept 0.
local function isThere(c, broker)
  return tonumber(call('ZSCORE', c.base .. 'leases', broker) or 0) > 0
end

local function forgetTasks(c, broker)
  local held = call('HGETALL', c.base .. 'tasks')
  for index = 1, #held, 2 do
    if held[index + 1] == broker then call('HDEL', c.base .. 'tasks', held[index]) end
  end
end

-- To be called last.
local function finish(c)
  count(c, 'queued', c.queued)
  for _, client in ipairs(c.appended) do
    local state = c.states[client]
    call('HSET', c.base .. 's:' .. client, 'last', state.last, 'taken', state.taken, 'waiting', state.waiting,
      'waitingBytes', state.waitingBytes)
    if state.fanOut > 0 then call('HSET', c.base .. 's:' .. client, 'fanOut', whole(state.fanOut)) end
  end
  for owner, fields in pairs(c.news) do tell(c, owner, fields) end
  for _, group in ipairs(c.ready) do announce(c, group, '') end
  if next(c.announced) then
    for _, other in ipairs(call('ZRANGEBYSCORE', c.base .. 'leases', '(0', '+inf')) do
      if other ~= c.instance then
        for publisher, groups in pairs(c.announced) do
          local fields = { 'g', publisher }
          for group in pairs(groups) do fields[#fields + 1] = group end
          tell(c, other, fields)
        end
      end
    end
  end
  return tellRoutes(c)
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
