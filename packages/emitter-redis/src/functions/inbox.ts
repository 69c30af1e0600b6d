/** What other brokers have for one. Its keys lie under a base of their own, `{PREFIX1.b:INSTANCE}:`, and end by themselves when
 * their owner stops renewing them.
 *
 * `in` is a stream of frames, whose numbers ascend; `n` a hash: `last` number, `bytes` put in and `taken` out since the beginning, the
 * `generation` of Redis, and for each sender `s:SENDER` the number of its last frame. */
export const inbox: string = String.raw`
-- The generation that the inbox is of; in a new one its numbers jump above those that its owner has seen.
local function generationIn(hash)
  local generation, begun = generationOf(redis.call('HGET', hash, 'generation'))
  if begun then
    redis.call('HSET', hash, 'generation', begun)
    if generation > 0 then redis.call('HSET', hash, 'last', whole(generation * numbersInTick)) end
  end
  return generation
end

-- milliseconds, number that the owner has seen last, number and bytes up to which it is done. Returns whether it was lost, and
-- the last number.
F.tend = function(keys, args)
  local hash, stream, lease, seen = keys[1] .. 'n', keys[1] .. 'in', tonumber(args[1]), tonumber(args[2])
  redis.call('PEXPIRE', stream, lease)
  local here = redis.call('PEXPIRE', hash, lease) == 1
  local floor = generationIn(hash) * numbersInTick
  local known = redis.call('HMGET', hash, 'last', 'bytes')
  local last, done = tonumber(known[1] or -1), tonumber(args[3])
  -- Older than what its owner has seen: it comes from a copy of the past.
  if here and last >= seen then
    redis.call('XTRIM', stream, 'MINID', whole(done + 1) .. '-0')
    -- The owner counts the bytes of frames that this Redis does not know of, until it takes one that it knows.
    local taken = done >= floor and args[4] or redis.call('XLEN', stream) == 0 and known[2]
    if taken then redis.call('HSET', hash, 'taken', taken) end
    return { 0, last }
  end
  redis.call('DEL', stream)
  redis.call('HSET', hash, 'last', seen, 'bytes', 0, 'taken', 0)
  redis.call('PEXPIRE', hash, lease)
  return { 1, seen }
end

-- sender, number of the frame, lowest number it still waits for, most bytes, frame.
-- Returns the number in the stream; -1: no such inbox; -2: not its turn; -3: full.
F.send = function(keys, args)
  local hash, stream, sender = keys[1] .. 'n', keys[1] .. 'in', 's:' .. args[1]
  if redis.call('EXISTS', hash) == 0 then return -1 end
  generationIn(hash)
  local known = redis.call('HMGET', hash, 'last', 'bytes', 'taken', sender)
  local number, before = tonumber(args[2]), tonumber(known[4] or 0)
  if number <= before then return tonumber(known[1]) end
  if number ~= math.max(before + 1, tonumber(args[3])) then return -2 end
  local bytes, taken = tonumber(known[2]) + #args[5], tonumber(known[3])
  if bytes - taken > tonumber(args[4]) and tonumber(known[2]) > taken then return -3 end
  local last, total = whole(known[1] + 1), whole(bytes)
  redis.call('HSET', hash, 'last', last, 'bytes', total, sender, args[2])
  redis.call('XADD', stream, last .. '-0', 'b', total, 'f', args[5])
  if redis.call('PTTL', stream) < 0 then redis.call('PEXPIRE', stream, redis.call('PTTL', hash)) end
  redis.call('PUBLISH', keys[1] .. 'c', 's' .. last .. ' ' .. total .. ' ' .. args[5])
  return tonumber(last)
end

F.close = function(keys) return redis.call('DEL', keys[1] .. 'n', keys[1] .. 'in') end
`
