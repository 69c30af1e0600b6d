// An SDK as a program would register it, for `node --require`: it writes each span as a line of JSON.
const { trace } = require('@opentelemetry/api')
const { BasicTracerProvider, SimpleSpanProcessor } = require('@opentelemetry/sdk-trace-base')

const exporter = {
  export(spans, done) {
    for (const { name, parentSpanContext } of spans) {
      process.stdout.write(`${JSON.stringify({ span: name, parent: parentSpanContext?.spanId ?? null })}\n`)
    }
    done({ code: 0 })
  },
  shutdown: async () => undefined,
}
trace.setGlobalTracerProvider(new BasicTracerProvider({ spanProcessors: [new SimpleSpanProcessor(exporter)] }))
