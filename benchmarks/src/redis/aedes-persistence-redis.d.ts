/** The part of aedes-persistence-redis 12 that the benchmark calls; the package carries no types. */
declare module 'aedes-persistence-redis' {
  import type { AedesOptions } from 'aedes'

  export default function persistence(options: { host: string; port: number }): NonNullable<AedesOptions['persistence']>
}
