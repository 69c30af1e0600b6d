/** Tasks that one of several brokers does. `tasks` has who does each. */
export const tasks: string = String.raw`
-- now, instance, task: whether this broker does it. Its tasks are free again when a broker has gone or is taken for dead.
F.hold = function(keys, args)
  local c = begin(keys, args[1], args[2])
  if not isThere(c, c.instance) then return 0 end
  local holder = call('HGET', c.base .. 'tasks', args[3])
  if holder and holder ~= c.instance and isThere(c, holder) then return 0 end
  if holder ~= c.instance then call('HSET', c.base .. 'tasks', args[3], c.instance) end
  return 1
end

-- now, instance, task
F.giveUp = function(keys, args)
  local c = begin(keys, args[1], args[2])
  if call('HGET', c.base .. 'tasks', args[3]) == c.instance then call('HDEL', c.base .. 'tasks', args[3]) end
  return 0
end
`
