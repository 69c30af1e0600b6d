/** What other brokers have for one. Its keys lie under a base of their own, `{PREFIX1.b:INSTANCE}:`, and end by themselves when
 * their owner stops renewing them.
 *
 * `in` is a stream of frames, numbered from 1 on; `n` a hash: `last` number, `bytes` put in and `taken` out since the beginning,
 * and for each sender `s:SENDER` the number of its last frame. */
export const inbox: string = String.raw`
-- milliseconds, number that the owner has seen last, number and bytes up to which it is done. Answers whether it was lost, and
-- the last number.
F.tend = function(keys, args)
  local hash, stream, lease, seen = keys[1] .. 'n', keys[1] .. 'in', tonumber(args[1]), tonumber(args[2])
  redis.call('PEXPIRE', stream, lease)
  local here = redis.call('PEXPIRE', hash, lease) == 1
  local last = tonumber(redis.call('HGET', hash, 'last') or -1)
  -- Older than what its owner has seen: it comes from a copy of the past.
  if here and last >= seen then
    redis.call('XTRIM', stream, 'MINID', (tonumber(args[3]) + 1) .. '-0')
    redis.call('HSET', hash, 'taken', args[4])
    return { 0, last }
  end
  redis.call('DEL', hash, stream)
  redis.call('HSET', hash, 'last', seen, 'bytes', 0, 'taken', 0)
  redis.call('PEXPIRE', hash, lease)
  return { 1, seen }
end

-- sender, number of the frame, lowest number it still waits for, most bytes, frame.
-- Answers the number in the stream; -1: no such inbox; -2: not its turn; -3: full.
F.send = function(keys, args)
  local hash, stream, sender = keys[1] .. 'n', keys[1] .. 'in', 's:' .. args[1]
  local known = redis.call('HMGET', hash, 'last', 'bytes', 'taken', sender)
  if not known[1] then return -1 end
  local number, before = tonumber(args[2]), tonumber(known[4] or 0)
  if number <= before then return tonumber(known[1]) end
  if number ~= math.max(before + 1, tonumber(args[3])) then return -2 end
  local bytes, taken = tonumber(known[2]) + #args[5], tonumber(known[3])
  if bytes - taken > tonumber(args[4]) and tonumber(known[2]) > taken then return -3 end
  local last = tonumber(known[1]) + 1
  -- No exponents.
  local total = string.format('%.0f', bytes)
  redis.call('HSET', hash, 'last', last, 'bytes', total, sender, args[2])
  redis.call('XADD', stream, last .. '-0', 'b', total, 'f', args[5])
  if redis.call('PTTL', stream) < 0 then redis.call('PEXPIRE', stream, redis.call('PTTL', hash)) end
  redis.call('PUBLISH', keys[1] .. 'c', 's' .. last .. ' ' .. total .. ' ' .. args[5])
  return last
end

F.close = function(keys) return redis.call('DEL', keys[1] .. 'n', keys[1] .. 'in') end
`
