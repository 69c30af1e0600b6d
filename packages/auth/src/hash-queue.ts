import fastq from 'fastq'
import type { queueAsPromised } from 'fastq'
import { verifyPassword } from './password-hash.ts'
import type { PasswordHash } from './password-hash.ts'

interface Job {
  readonly hash: PasswordHash
  readonly password: Buffer
}

/** Passwords that are being compared. Node computes hashes in four threads, which also read files and resolve names: a storm of logins
 * may not take all of them. */
export class HashQueue {
  readonly #jobs: queueAsPromised<Job, boolean>

  constructor(concurrency: number) {
    this.#jobs = fastq.promise(({ hash, password }: Job) => verifyPassword(hash, password), concurrency)
  }

  verify(hash: PasswordHash, password: Buffer): Promise<boolean> {
    return this.#jobs.push({ hash, password })
  }
}
