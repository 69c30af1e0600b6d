/** What another store has kept, as it is taken over. Each call may be repeated. */
export const adoption: string = String.raw`
-- now, instance, client, epoch, how many packet ids, these (QoS 2 messages received and not completed); then for each entry of the queue
-- its sequence, '1' if it is released, record, delivery, bytes, expires. Sequences ascend.
F.adopt = function(keys, args)
  local c = begin(keys, args[1], args[2])
  local client, epoch, received = args[3], args[4], tonumber(args[5])
  if not owns(c, client, epoch) then return fenced(client, epoch) end
  for index = 6, 5 + received do call('HSETNX', c.base .. 'i:' .. client, args[index], epoch) end
  local state = loadState(c, client)
  for index = 6 + received, #args, 6 do
    local sequence = tonumber(args[index])
    add(c, client, sequence, { record = args[index + 2], delivery = args[index + 3], bytes = tonumber(args[index + 4]), expires = args[index + 5] })
    if args[index + 1] == '1' then call('HSET', c.base .. 'r:' .. client, whole(sequence), 1) end
    state.last, state.taken = sequence, sequence
  end
  saveState(c, client, state)
  finish(c)
end

-- now, instance, topic, record, expires: whether nothing was retained there
F.adoptRetained = function(keys, args)
  local c = begin(keys, args[1], args[2])
  if call('HEXISTS', c.base .. 'rv', args[3]) == 1 then return 0 end
  retain(c, args[3], args[4], args[5])
  return 1
end

-- Milliseconds for which it is known what was taken over, so that it is not again.
local adoptionKept = 30 * 24 * 3600 * 1000

-- now, instance, kind ('s': session, 'r': retained message, 'w': will), name: whether it is there, or was taken over
F.adopted = function(keys, args)
  local base, kind, name = keys[1], args[3], args[4]
  if kind == 's' then return call('EXISTS', base .. 's:' .. name) end
  if kind == 'r' then return call('HEXISTS', base .. 'rv', name) end
  return call('SISMEMBER', base .. 'adopted', name)
end

-- now, instance, name, will: a broker publishes it
F.adoptWill = function(keys, args)
  local c = begin(keys, args[1], args[2])
  local added = call('SADD', c.base .. 'adopted', args[3])
  call('PEXPIRE', c.base .. 'adopted', adoptionKept)
  if added == 0 then return 0 end
  handOut(c, args[3], args[4])
  return 1
end
`
