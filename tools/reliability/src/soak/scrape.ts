import parseText from 'parse-prometheus-text-format'

/** The values of `/metrics`. */
export interface Scraped {
  /** The sum of all series of a metric; NaN: there is no such metric. */
  readonly sum: (name: string) => number
}

/** What Prometheus would be told now. */
export async function scrapedFrom(url: string): Promise<Scraped> {
  const response = await fetch(`${url}/metrics`)
  const text = await response.text()
  if (response.status !== 200) throw new Error(`/metrics responded with ${response.status}: ${text.slice(0, 200)}`)
  const families = new Map(parseText(text).map(family => [family.name, family.metrics]))
  return {
    sum: name => families.get(name)?.reduce((sum, { value }) => sum + Number(value), 0) ?? Number.NaN,
  }
}
