export { sysTopics } from './sys-topics.ts'
export type { SysTopicsOptions } from './sys-topics.ts'
