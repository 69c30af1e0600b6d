/** What makes tracers: a `TracerProvider` of OpenTelemetry. It has no types of `@opentelemetry/api`, which need not be installed. */
export interface SpanSource {
  getTracer(name: string, version?: string): unknown
}
