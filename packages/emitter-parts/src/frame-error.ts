/** A frame that no emitter has made. */
export class FrameError extends Error {
  override readonly name = 'FrameError'
  readonly code = 'FRAME_INVALID'
}
