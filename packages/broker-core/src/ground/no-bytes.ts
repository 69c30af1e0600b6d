/** An empty buffer, shared wherever there are no bytes. */
export const noBytes: Buffer = Buffer.alloc(0)
