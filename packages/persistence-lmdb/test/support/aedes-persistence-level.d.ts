/** The part of aedes-persistence-level 9 that the tests call; the package carries no types. */
declare module 'aedes-persistence-level' {
  import type { AedesOptions } from 'aedes'
  import type { ClassicLevel } from 'classic-level'

  export default function persistence(db: ClassicLevel<string, Buffer>): NonNullable<AedesOptions['persistence']>
}
