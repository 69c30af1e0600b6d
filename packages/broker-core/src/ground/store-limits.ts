import type { StoreLimits } from '@x/contract'
import type { CheckedOptions } from './limits.ts'

/** The limits that the store keeps, as the contract names them. */
export function storeLimitsOf(options: CheckedOptions): StoreLimits {
  return {
    maximumQueuedMessages: options.maximumQueuedMessages,
    maximumQueuedBytes: options.maximumQueuedBytes,
    overflow: options.queueOverflow,
    maximumTotalQueuedBytes: options.maximumTotalQueuedBytes,
    maximumWillBytes: options.maximumWillBytes,
    maximumRetainedMessagesPerClient: options.maximumRetainedMessagesPerClient,
    maximumRetainedBytesPerClient: options.maximumRetainedBytesPerClient,
  }
}
