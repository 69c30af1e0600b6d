/** Lua for function libraries whose numbers brokers remember: a Redis may come back older than it was, from a snapshot, or as a replica
 * that had not heard everything, and a number must never mean something else then. So each start of a server begins a new generation,
 * whose numbers are above all that were given before it.
 *
 * `generationOf(STORED)` returns the generation's number (the first one: 0), and a text to be stored when it has begun just now. */
export const serverGeneration: string = String.raw`
-- While a library is loaded, redis.call is not there yet.
local function call(...) return redis.call(...) end

local function microseconds()
  local time = call('TIME')
  return time[1] * 1000000 + time[2]
end

-- Without an exponent.
local function whole(number) return string.format('%.0f', number) end

-- Generations are counted in sixteenths of seconds, from 2026 on, so that those that were lost don't come again. As long as less than
-- four million numbers a second are given, the numbers of each are above those of the ones before; all stay below 2^53 until 2070.
local firstMoment, ticks, numbersInTick = 1767225600000000, 16, 262144

-- As long as this server runs.
local run

local function generationOf(stored)
  if not run then run = string.match(call('INFO', 'server'), 'run_id:(%x+)') end
  local number, began = string.match(stored or '', '^(%d+) (%x+)$')
  if began == run then return tonumber(number) end
  local generation = number and math.max(math.floor((microseconds() - firstMoment) * ticks / 1000000), number + 1) or 0
  return generation, whole(generation) .. ' ' .. run
end
`
