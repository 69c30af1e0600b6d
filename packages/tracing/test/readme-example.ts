import { BasicTracerProvider, ConsoleSpanExporter, SimpleSpanProcessor } from '@opentelemetry/sdk-trace-base'
import { createBroker } from '@x/broker'

const tracerProvider = new BasicTracerProvider({ spanProcessors: [new SimpleSpanProcessor(new ConsoleSpanExporter())] })
const broker = createBroker({ tracing: { tracerProvider, ratio: 0.01 } })
const { port } = await broker.listen({ port: 0 })

export { broker, port }
