/** Packages that carry no types: the part of each that tests use. */
declare module 'aedes-persistence-mongodb' {
  const make: (options: object) => object
  export = make
}
declare module 'aedes-persistence-nedb' {
  const make: (options: object) => object
  export = make
}
declare module 'mqemitter-mongodb' {
  const make: { readonly prototype: object }
  export = make
}
declare module 'aedes-logging' {
  const log: (options: object) => void
  export = log
}
declare module 'aedes-stats' {
  const publishStatistics: (broker: object, options: object) => void
  export = publishStatistics
}
