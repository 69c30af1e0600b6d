export { logLineKinds, logTopics } from './log-topics.ts'
export type { LogLineKind, LogMessage, LogTopics, LogTopicsOptions } from './log-topics.ts'
export { sysTopics } from './sys-topics.ts'
export type { SysTopicsOptions } from './sys-topics.ts'
