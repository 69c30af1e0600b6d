/** What the data are written with. */
export const schema: string = String.raw`
-- Whether there is nothing to read, and no broker ('brokers': of schema 1).
local function isEmpty(base)
  for _, name in ipairs({ 'leases', 'brokers', 'counts', 'rv', 't', 'w', 'ended', 'fan' }) do
    if call('EXISTS', base .. name) == 1 then return false end
  end
  return true
end

-- now, instance, schema that the broker reads: the one that the data are written with. Where there is nothing it is this one.
F.schema = function(keys, args)
  local key, schema = keys[1] .. 'schema', args[3]
  local found = call('GET', key)
  if found and found ~= schema and not isEmpty(keys[1]) then return found end
  generationIn({ base = keys[1] })
  call('SET', key, schema)
  return schema
end
`
