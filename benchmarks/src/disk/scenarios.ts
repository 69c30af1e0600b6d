/** Names that `--scenario` takes. */
type DiskScenarioName = 'disk-qos1-1' | 'disk-qos1-100' | 'disk-offline-1000' | 'disk-drain-1000' | 'disk-retained-1000'

export interface DiskScenario {
  readonly name: DiskScenarioName
  /** One line for `--help`. */
  readonly about: string
  readonly inFlight: number
}

/** In the order in which they run. */
export const diskScenarios: readonly DiskScenario[] = [
  {
    name: 'disk-qos1-1',
    about: '1 publisher, 1 subscriber with a stored session, QoS 1, 1 in flight, 64 B',
    inFlight: 1,
  },
  { name: 'disk-qos1-100', about: 'the same with 100 in flight', inFlight: 100 },
  {
    name: 'disk-offline-1000',
    about: '1 publisher, 1000 stored sessions whose clients are away, QoS 1, 4 in flight: stored a second',
    inFlight: 4,
  },
  {
    name: 'disk-drain-1000',
    about:
      'the 1000 clients come back and acknowledge what was stored for each: from the first CONNECT to the last message',
    inFlight: 100,
  },
  { name: 'disk-retained-1000', about: 'QoS 0 with RETAIN to 1000 topics in turns, 64 B', inFlight: 1 },
]
