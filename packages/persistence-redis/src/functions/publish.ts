/** One message: retained, stored for every matching session and group, its packet id recorded; all or nothing. */
export const publish: string = String.raw`
-- Each session once, by its subscriptions together: highest QoS, every identifier in the order of subscribing. And the groups.
local function receptions(c, filters, publisher)
  local byClient, order, groups = {}, {}, {}
  for _, path in ipairs(filters) do
    local takers = call('HGETALL', c.base .. 'f:' .. string.sub(path, 2))
    for index = 1, #takers, 2 do
      local client = string.sub(takers[index], 2)
      local qos, noLocal, asPublished, _, identifier, ordinal =
        string.match(takers[index + 1], '^(%d),(%d),(%d),(%d),(%d+),(%d+)$')
      if not qos then
        groups[#groups + 1] = takers[index]
      elseif noLocal == '0' or publisher ~= client then
        local reception = byClient[client]
        if not reception then
          reception = { client = client, qos = '0', retain = '0', identifiers = {} }
          byClient[client] = reception
          order[#order + 1] = reception
        end
        if qos > reception.qos then reception.qos = qos end
        if asPublished == '1' then reception.retain = '1' end
        if identifier ~= '0' then
          reception.identifiers[#reception.identifiers + 1] = { tonumber(ordinal), identifier }
        end
      end
    end
  end
  return order, groups
end

local function identifiersOf(reception)
  table.sort(reception.identifiers, function(one, other) return one[1] < other[1] end)
  local text, seen = '', {}
  for _, pair in ipairs(reception.identifiers) do
    if not seen[pair[2]] then
      seen[pair[2]] = true
      text = text .. ',' .. pair[2]
    end
  end
  return text
end

-- now, instance, topic, qos, retain ('': no, 's': set, 'd': delete), publisher ('0': none, or '1' and the client), expires, bytes,
-- record, limits; with a receipt its client, epoch and packet id
F.publish = function(keys, args)
  local c = begin(keys, args[1], args[2])
  local topic, qos, record = args[3], args[4], args[9]
  local client, epoch, packetId, limits = args[11], args[12], args[13], args[10]
  if packetId then
    if not owns(c, client, epoch) then return fenced(client, epoch) end
    -- Stored with its id before: this is the repetition of a call whose answer got lost.
    if call('HSETNX', c.base .. 'i:' .. client, packetId, 1) == 0 then return { 0, {}, {}, {} } end
  end
  if args[5] == 's' then retain(c, topic, record, args[7]) elseif args[5] == 'd' then removeRetained(c, topic) end
  if qos == '0' then return { 0, {}, {}, {} } end
  local publisher = string.sub(args[6], 1, 1) == '1' and string.sub(args[6], 2) or nil
  local flag = args[5] == '' and '0' or '1'
  local order, groups = receptions(c, matching(c, topic), publisher)
  local reached, joined = #groups, {}
  for _, reception in ipairs(order) do
    if reception.qos ~= '0' then
      reached = reached + 1
      local lower = reception.qos < qos and reception.qos or qos
      local delivery = lower .. ',' .. (reception.retain == '1' and flag or '0') .. identifiersOf(reception)
      append(c, reception.client, { record = record, delivery = delivery, bytes = tonumber(args[8]), expires = args[7] }, limits)
    end
  end
  for _, name in ipairs(groups) do
    local entry = { record = record, delivery = qos .. ',' .. flag, bytes = tonumber(args[8]), expires = args[7] }
    if join(c, name, entry, limits) then joined[#joined + 1] = name end
  end
  announceGroups(c, joined, args[6])
  finish(c, record)
  return { reached, c.own, c.drops, joined }
end
`
