/** Below this many bytes a loop is faster than the call into `set` and the view it needs (benchmarks: micro/copy). */
const loopBytes = 48

/** Copies `source[start, end)` to `target` at `offset`. */
export function copyBytes(target: Buffer, offset: number, source: Uint8Array, start: number, end: number): void {
  if (end - start > loopBytes) {
    target.set(start === 0 && end === source.length ? source : source.subarray(start, end), offset)
    return
  }
  for (let from = start, to = offset; from < end; from += 1, to += 1) target[to] = source[from] as number
}
