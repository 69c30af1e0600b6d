const packages = new URL('../../packages/', import.meta.url)
/** Who has the packages that Aedes's tests need and Aedes does not depend on. */
const owners = { ws: 'transport-ws', mqtt: 'aedes-compat' }

/** What other files stand in for. */
const replaced = { '../aedes.js': 'aedes-here.mjs', '../lib/client.js': 'client-here.mjs' }

export async function resolve(name, context, next) {
  if (Object.hasOwn(replaced, name)) {
    return { url: new URL(`./${replaced[name]}`, import.meta.url).href, shortCircuit: true }
  }
  if (name === 'node:test' && context.parentURL?.includes('/aedes/test/')) {
    return { url: new URL('./timed-test.mjs', import.meta.url).href, shortCircuit: true }
  }
  if (Object.hasOwn(owners, name)) {
    return next(name, { ...context, parentURL: new URL(`${owners[name]}/package.json`, packages).href })
  }
  return next(name, context)
}
