import type { Flags } from './flags.ts'
import { MessageFormat } from './message-format.ts'
import type { ReceivedMessage } from './received-message.ts'
import { ToolError } from './tool-error.ts'
import type { ToolOutput } from './tool-client.ts'

/** Prints messages as the options say. */
export class MessagePrinter {
  readonly #format: MessageFormat | undefined
  readonly #isVerbose: boolean
  readonly #end: string
  readonly #output: ToolOutput

  /** @throws ToolError for a format that can't be followed */
  constructor(flags: Flags, output: ToolOutput) {
    const format = flags.text('format')
    this.#format = format === undefined ? undefined : new MessageFormat(format, { isPretty: flags.has('pretty') })
    this.#isVerbose = flags.has('verbose')
    this.#end = flags.has('noEol') ? '' : '\n'
    this.#output = output
  }

  print(message: ReceivedMessage): void {
    try {
      this.#print(message)
    } catch (error) {
      if (!(error instanceof ToolError)) throw error
      this.#output.error(`${error.message}\n`)
    }
  }

  #print(message: ReceivedMessage): void {
    const { payload, packet } = message
    const end = Buffer.from(this.#end)
    if (this.#format !== undefined) this.#output.out(Buffer.concat([this.#format.bytes(message), end]))
    else if (payload.length > 0) {
      const topic = this.#isVerbose ? `${packet.topic} ` : ''
      this.#output.out(Buffer.concat([Buffer.from(topic), payload, end]))
    } else if (this.#isVerbose && this.#end !== '') this.#output.out(`${packet.topic} (null)\n`)
  }
}
