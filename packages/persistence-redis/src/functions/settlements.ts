/** What clients have acknowledged. MQTT 5.0 §4.3 */
export const settlements: string = String.raw`
-- An entry that waits, which its owner has not taken, is counted no more.
local function stopWaiting(c, client, sequence)
  if isClaimed(c, client, sequence) then return end
  local found = call('XRANGE', c.base .. 'q:' .. client, idOf(sequence), idOf(sequence))[1]
  if not found then return end
  call('HINCRBY', c.base .. 's:' .. client, 'waiting', -1)
  call('HINCRBY', c.base .. 's:' .. client, 'waitingBytes', -entryOf(found[2]).bytes)
end

-- Acknowledges all from the first to the last, of a session with what 'F.settle' knows of it. In the order of the queue that is the
-- beginning of the stream, which is cut off at once: a search for each costs nine times as much.
local function acknowledge(c, client, session, first, last)
  local stream, removed = c.base .. 'q:' .. client, 0
  for sequence = math.max(first, session.taken + 1), last do stopWaiting(c, client, sequence) end
  local before = session.settled + 1
  if first == before or first > before and
    #call('XRANGE', stream, idOf(before), idOf(first - 1), 'COUNT', 1) == 0 then
    removed = call('XTRIM', stream, 'MINID', idOf(last + 1))
    session.settled = last
  else
    for sequence = first, last do removed = removed + call('XDEL', stream, idOf(sequence)) end
  end
  if removed == 0 then return end
  c.queued = c.queued - removed
  for _, marks in ipairs({ c.base .. 'r:' .. client, c.base .. 'g:' .. client }) do
    if call('EXISTS', marks) == 1 then
      for sequence = first, last do call('HDEL', marks, sequence) end
    end
  end
end

-- now, instance, then client, epoch and what is settled for each session: 'a' (acknowledge), 'r' (release) or 'c' (complete), each
-- with its number, or its first and its last one. 1 for each session, 0 for those that are fenced.
F.settle = function(keys, args)
  local c = begin(keys, args[1], args[2])
  local answers = {}
  for index = 3, #args, 3 do
    local client, epoch = args[index], args[index + 1]
    local key, stream = c.base .. 's:' .. client, c.base .. 'q:' .. client
    local state = call('HMGET', key, 'epoch', 'owner', 'taken', 'settled')
    local isOwner = state[1] == epoch and state[2] ~= false
    answers[#answers + 1] = isOwner and 1 or 0
    if isOwner then
      local settled = tonumber(state[4] or 0)
      local session = { taken = tonumber(state[3] or 0), settled = settled }
      for kind, first, last in string.gmatch(args[index + 2], '(%a)(%d+)%-?(%d*)') do
        if kind == 'a' then
          acknowledge(c, client, session, tonumber(first), tonumber(last) or tonumber(first))
        elseif kind == 'c' then
          call('HDEL', c.base .. 'i:' .. client, first)
        elseif #call('XRANGE', stream, first .. '-0', first .. '-0') == 1 then
          call('HSET', c.base .. 'r:' .. client, first, 1)
        end
      end
      if session.settled ~= settled then call('HSET', key, 'settled', session.settled) end
      -- An empty stream would stay.
      if call('XLEN', stream) == 0 then call('DEL', stream) end
    end
  end
  finish(c)
  return answers
end
`
