/** One JSON line for each test. */
export default async function* report(events) {
  for await (const { type, data } of events) {
    if (type !== 'test:pass' && type !== 'test:fail') continue
    const { name, details } = data
    if (details?.type === 'suite') continue
    const cause = details?.error?.cause
    const error = String(cause?.message ?? cause ?? details?.error?.message ?? '')
    yield `${JSON.stringify({ name, passed: type === 'test:pass', error })}\n`
  }
}
