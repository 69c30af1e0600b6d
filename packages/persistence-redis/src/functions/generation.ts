/** The generation of Redis that a call finds, for all numbers of the store: `generation` has it. */
export const generation: string = String.raw`
local function generationIn(c)
  if c.generation then return c.generation end
  local found, begun = generationOf(call('GET', c.base .. 'generation'))
  c.generation = found
  if begun then
    call('SET', c.base .. 'generation', begun)
    -- Each new filter takes one number, and more than a microsecond.
    local now = whole(microseconds())
    if call('EXISTS', c.base .. 'nv') == 1 then call('HSET', c.base .. 'nv', 'version', now, 'routes', now) end
  end
  return found
end

-- Numbers of this generation are above it.
local function floorOf(c) return generationIn(c) * numbersInTick end

-- A number that ascends from each one to the next, of whatever begins.
local function birthIn(c)
  local number, floor = call('INCR', c.base .. 'births'), floorOf(c)
  if number > floor then return number end
  call('SET', c.base .. 'births', whole(floor + 1))
  return floor + 1
end
`
