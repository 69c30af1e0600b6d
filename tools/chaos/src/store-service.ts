export type StoreName = 'redis' | 'lmdb'

/** Where the brokers of a run keep their sessions. */
export interface StoreService {
  readonly name: StoreName
  /** Whether a message of one broker also gets to sessions of another one that end with their connection. */
  readonly joinsBrokers: boolean
  /** Parameters that lead a broker there. */
  parameters(redisPort: number): readonly string[]
  /** Whether brokers have wills to publish: that of one that died meanwhile comes back after 30 s. */
  hasWills(): Promise<boolean>
  /** What is left, by name, and nothing explains, when every session and broker is gone. */
  leftovers(): Promise<readonly string[]>
  close(): Promise<void>
}
