import type { Duplex } from 'node:stream'

/** What is known after some bytes: that more are needed, or how many of them to take away and what to do then. */
export type Verdict = 'more' | { readonly taken: number; readonly proceed: () => void }

/** Looks at the first bytes of a stream until `look` knows enough, and leaves to the stream what it does not take away. `ended` is
 * called when the stream ends before; `look` may throw, which comes to `failed`. */
export function peek(
  stream: Duplex,
  look: (bytes: Buffer) => Verdict,
  { ended, failed }: { ended: () => void; failed: (error: unknown) => void },
): void {
  let seen: Buffer | undefined
  const done = (): void => {
    stream.off('readable', readable)
    stream.off('end', end)
  }
  const end = (): void => {
    done()
    ended()
  }
  const readable = (): void => {
    const chunk = stream.read() as Buffer | null
    if (chunk === null) return
    seen = seen === undefined ? chunk : Buffer.concat([seen, chunk])
    let verdict: Verdict
    try {
      verdict = look(seen)
    } catch (error) {
      done()
      failed(error)
      return
    }
    if (verdict === 'more') return
    done()
    const rest = seen.subarray(verdict.taken)
    if (rest.length > 0) stream.unshift(rest)
    verdict.proceed()
  }
  stream.on('readable', readable)
  stream.on('end', end)
}
