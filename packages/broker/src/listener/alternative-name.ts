const kinds = ['DNS:', 'email:', 'URI:'] as const

/** The first name among the subject alternative names of a certificate, as Node shows them: `DNS:a, IP Address:127.0.0.1`. Addresses are no
 * names. Node quotes what could be taken for several names: such a list has none that can be trusted. */
export function alternativeName(names: string | undefined): string | undefined {
  if (names === undefined || names.includes('"')) return undefined
  for (const entry of names.split(', ')) {
    const kind = kinds.find(one => entry.startsWith(one))
    if (kind !== undefined && entry.length > kind.length) return entry.slice(kind.length)
  }
  return undefined
}
