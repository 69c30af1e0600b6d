import { AuthError } from '../auth-error.ts'

/** Bytes of a response; more are not read. */
const longestBody = 65_536

/** The whole of a response. */
export interface HttpResponse {
  readonly status: number
  readonly text: string
}

/** A response of at most 64 KiB, all of it within `timeout` ms. Redirects are not followed.
 * @throws AuthError `HTTP_UNAVAILABLE` */
export async function boundedFetch(url: string, init: RequestInit, timeout: number): Promise<HttpResponse> {
  const shownUrl = withoutUserInfo(url)
  try {
    const response = await fetch(url, { ...init, redirect: 'manual', signal: AbortSignal.timeout(timeout) })
    return { status: response.status, text: await bodyOf(response) }
  } catch (cause) {
    if (cause instanceof AuthError) throw cause
    const { name, message, cause: reason } = cause as Error
    const what = name === 'TimeoutError' ? `it has not responded within ${timeout} ms` : wordsOf(message, reason)
    throw unavailable(shownUrl, what, cause)
  }

  async function bodyOf({ body }: Response): Promise<string> {
    const chunks: Uint8Array[] = []
    let size = 0
    // Leaving the loop early cancels what is still to come.
    for await (const chunk of (body ?? []) as AsyncIterable<Uint8Array>) {
      size += chunk.length
      if (size > longestBody) throw unavailable(shownUrl, `its response exceeds ${longestBody} bytes`)
      chunks.push(chunk)
    }
    return Buffer.concat(chunks).toString('utf8')
  }
}

/** The error of a server that gives no useful response. */
export function unavailable(url: string, what: string, cause?: unknown): AuthError {
  return new AuthError('HTTP_UNAVAILABLE', `${url}: ${what}`, undefined, cause)
}

/** Names and passwords in a URL are never shown. */
export function withoutUserInfo(url: string): string {
  const shown = new URL(url)
  shown.username = ''
  shown.password = ''
  return shown.href
}

/** What `fetch` says is that it has failed; why stands in its cause. */
function wordsOf(message: string, cause: unknown): string {
  return cause instanceof Error && cause.message !== '' ? cause.message : message
}
