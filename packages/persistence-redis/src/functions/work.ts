/** What takes longer than a call may: one broker calls until it is done, and another one instead of it when it is silent. `worker` has who,
 * and when it has called last. */
export const work: string = String.raw`
-- Microseconds without a call after which another broker goes on.
local longestRest = 1000000

-- Whether nobody goes on although there is something to do.
local function hasStopped(c)
  if call('EXISTS', c.base .. 'fan', c.base .. 'ended') == 0 then return false end
  local at = call('HGET', c.base .. 'worker', 'at')
  return not at or microseconds() - at > longestRest
end

local function giveUpWork(c)
  if call('HGET', c.base .. 'worker', 'broker') == c.instance then call('DEL', c.base .. 'worker') end
end

-- now, instance, limits: goes on with fan-outs, and with what is left of sessions, unless another broker does. Returns whether this one has to call again, the
-- number of the first that is not done ('': all are), the number that those of this generation are above, records with what this broker
-- is offered of each, drops, publishers with groups in which a message of theirs waits, and 's' with the numbers of this broker's that are
-- done now and how many each was for.
F.spread = function(keys, args)
  local c = begin(keys, args[1], args[2], args[3])
  c.joined, c.done = {}, {}
  local number = call('LINDEX', c.base .. 'fan', 0)
  local goesOn, isLeft = hasStopped(c) or call('HGET', c.base .. 'worker', 'broker') == c.instance, false
  if goesOn then
    while number and not isTired(c) do number = giveOn(c, number) end
    isLeft = number or not tidy(c)
    if not number then call('UNLINK', c.base .. 'fan-not') end
    if isLeft then
      call('HSET', c.base .. 'worker', 'broker', c.instance, 'at', whole(microseconds()))
    else
      call('UNLINK', c.base .. 'worker')
    end
    for owner, done in pairs(c.done) do
      table.insert(done, 1, 's')
      if owner ~= c.instance and isThere(c, owner) then tell(c, owner, done) end
    end
  end
  local offered = c.news[c.instance] or { 'd' }
  c.news[c.instance] = nil
  table.remove(offered, 1)
  finish(c)
  return { isLeft and 1 or 0, number or '', floorOf(c), offered, c.drops, c.joined, c.done[c.instance] or { 's' } }
end
`
