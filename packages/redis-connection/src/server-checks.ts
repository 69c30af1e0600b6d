import { RedisError } from './redis-error.ts'

/** What a server says of itself. */
export interface ServerFacts {
  readonly version: string
  /** Redis Functions are there (7.0 and later). */
  readonly functions: boolean
}

const oldest = [6, 2] as const

/** Reads the answer of INFO.
 * @throws RedisError `REDIS_VERSION_UNSUPPORTED`, `REDIS_EVICTION_POLICY`, `REDIS_READ_ONLY` */
export function checkServer(info: string, address: string): ServerFacts {
  const version = fieldOf(info, 'redis_version') ?? 'unknown'
  const [major = 0, minor = 0] = version.split('.').map(Number)
  if (!(major > oldest[0] || (major === oldest[0] && minor >= oldest[1]))) {
    throw new RedisError('REDIS_VERSION_UNSUPPORTED', {
      message: `Redis at ${address} is version ${version}, at least ${oldest.join('.')} is needed`,
    })
  }
  const policy = fieldOf(info, 'maxmemory_policy')
  if (policy !== undefined && policy !== 'noeviction') {
    throw new RedisError('REDIS_EVICTION_POLICY', {
      message: `Redis at ${address} has maxmemory-policy ${policy}, which deletes sessions when memory is short; set it to noeviction`,
    })
  }
  if (fieldOf(info, 'role') === 'slave') {
    throw new RedisError('REDIS_READ_ONLY', {
      message: `Redis at ${address} is a replica of ${fieldOf(info, 'master_host')}:${fieldOf(info, 'master_port')}; a primary is needed`,
    })
  }
  return { version, functions: major >= 7 }
}

function fieldOf(info: string, name: string): string | undefined {
  return new RegExp(`^${name}:(.*?)\\r?$`, 'm').exec(info)?.[1]
}
