/** The part of qlobber 8 which is measured; the package carries no types. */
declare module 'qlobber' {
  export class Qlobber<Value> {
    constructor(options: {
      separator: string
      wildcard_one: string
      wildcard_some: string
      match_empty_levels: boolean
    })
    add(filter: string, value: Value): this
    match(topic: string): Value[]
  }
}
