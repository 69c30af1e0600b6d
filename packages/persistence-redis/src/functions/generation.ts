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
`
