/** A reason code as errors show it, with the reason string that came with it: `0x87: not authorized`. */
export function reasonText(code: number, reasonString: string | undefined): string {
  const shown = code < 0x80 ? String(code) : `0x${code.toString(16)}`
  return reasonString === undefined ? shown : `${shown}: ${reasonString}`
}
