/** What people change of a session without having it open. */
export const shown: string = String.raw`
-- Keys that one call looks at.
local keysOfPage = 200

-- now, instance, cursor: the next one, and keys of sessions. As a function it goes to the node that has them.
F.list = function(keys, args)
  return call('SCAN', args[3], 'MATCH', keys[1] .. 's:*', 'COUNT', keysOfPage)
end

-- Entries of a queue that one call looks at.
local mostCleared = 256

-- now, instance, client, after: drops what waits behind this sequence. How much, whether that was all, and up to which sequence it has
-- looked.
F.clear = function(keys, args)
  local c = begin(keys, args[1], args[2])
  local client = args[3]
  if call('EXISTS', c.base .. 's:' .. client) == 0 then return { 0, 1, 0 } end
  local state = loadState(c, client)
  local after, dropped = math.max(state.taken, tonumber(args[4])), 0
  local page = call('XRANGE', c.base .. 'q:' .. client, '(' .. idOf(after), '+', 'COUNT', mostCleared)
  for _, item in ipairs(page) do
    after = sequenceOf(item[1])
    if not isClaimed(c, client, after) then
      remove(c, client, after)
      state.waiting = state.waiting - 1
      state.waitingBytes = state.waitingBytes - entryOf(item[2]).bytes
      dropped = dropped + 1
    end
  end
  saveState(c, client, state)
  finish(c)
  return { dropped, #page < mostCleared and 1 or 0, after }
end
`
