/** What has become of a stream: its peer has ended its side, or the stream is gone. */
export interface StreamEnd {
  readonly kind: 'ended' | 'closed'
  readonly error?: Error | undefined
}

/** The first error and the later state of two ends of one stream. */
export function mergeEnds(before: StreamEnd | undefined, end: StreamEnd): StreamEnd {
  return { kind: before?.kind === 'closed' ? 'closed' : end.kind, error: before?.error ?? end.error }
}
