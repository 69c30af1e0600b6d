import type { Redis } from 'ioredis'

/** A key and what it holds, as the command that makes it; bytes as Latin-1. */
export type StoredKey = readonly [command: string, key: string, ...values: string[]]

/** Everything that is in Redis, in the order of the keys. */
export async function readKeys(admin: Redis): Promise<readonly StoredKey[]> {
  const keys = (await admin.keys('*')).sort()
  return (await Promise.all(keys.map(async key => readKey(admin, key)))).flat()
}

/** Puts it back. */
export async function writeKeys(admin: Redis, stored: readonly StoredKey[]): Promise<void> {
  for (const [command, ...values] of stored)
    await admin.call(command, ...values.map(value => Buffer.from(value, 'latin1')))
}

async function readKey(admin: Redis, key: string): Promise<readonly StoredKey[]> {
  const type = await admin.type(key)
  switch (type) {
    case 'string':
      return [['SET', key, text(await admin.getBuffer(key))]]
    case 'hash':
      return [['HSET', key, ...(await texts(admin, 'HGETALL', key))]]
    case 'set':
      return [['SADD', key, ...(await texts(admin, 'SMEMBERS', key))]]
    case 'list':
      return [['RPUSH', key, ...(await texts(admin, 'LRANGE', key, '0', '-1'))]]
    case 'zset': {
      const members = await texts(admin, 'ZRANGE', key, '0', '-1')
      const scores = await Promise.all(members.map(async member => admin.zscore(key, Buffer.from(member, 'latin1'))))
      return [['ZADD', key, ...members.flatMap((member, index) => [scores[index] ?? '', member])]]
    }
    case 'stream': {
      const entries = (await admin.callBuffer('XRANGE', key, '-', '+')) as readonly (readonly [
        Buffer,
        readonly Buffer[],
      ])[]
      return entries.map(([id, fields]) => ['XADD', key, text(id), ...fields.map(text)])
    }
    default:
      throw new Error(`a key of type ${type}: ${key}`)
  }
}

async function texts(admin: Redis, command: string, ...values: string[]): Promise<string[]> {
  return ((await admin.callBuffer(command, ...values)) as readonly Buffer[]).map(text)
}

function text(value: Buffer | null): string {
  return value?.toString('latin1') ?? ''
}
