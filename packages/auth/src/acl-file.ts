import { TopicError, parseTopicFilter } from '@x/topic-trie'
import { AclRules } from './acl-rules.ts'
import type { AclAccess, AclLine } from './acl-rules.ts'
import { AuthError } from './auth-error.ts'
import type { FilePlace } from './auth-error.ts'
import { linesOf, readTextFile } from './text-file.ts'

const accesses: ReadonlySet<string> = new Set(['read', 'write', 'readwrite', 'deny'] satisfies AclAccess[])
const mostLevels = 201

/** Mosquitto's ACL file: `user NAME`, `topic [read|write|readwrite|deny] FILTER`, `pattern [...] FILTER`, `#` in the first column.
 * @param file its name, for errors
 * @throws AuthError `ACL_FILE_INVALID` with file and line */
export function parseAclFile(text: string, file: string): AclRules {
  const anonymous: AclLine[] = []
  const users = new Map<string, AclLine[]>()
  const patterns: AclLine[] = []
  let section = anonymous
  for (const [index, raw] of linesOf(text).entries()) {
    const line = raw.trimEnd()
    if (line === '' || line.startsWith('#')) continue
    const place = { file, line: index + 1 }
    const [keyword, rest] = firstWord(line)
    switch (keyword) {
      case 'user':
        section = sectionOf(users, rest, place)
        break
      case 'topic':
        section.push(ruleOf(rest, keyword, place))
        break
      case 'pattern':
        patterns.push(ruleOf(rest, keyword, place))
        break
      default:
        throw wrong(`the line begins with '${keyword.slice(0, 50)}', it must begin with user, topic or pattern`, place)
    }
  }
  return new AclRules({ file, anonymous, users, patterns })
}

/** @throws AuthError `FILE_UNREADABLE`, `ACL_FILE_INVALID` */
export function readAclFile(file: string): AclRules {
  return parseAclFile(readTextFile(file), file)
}

/** Sections of one user add up. */
function sectionOf(users: Map<string, AclLine[]>, name: string, place: FilePlace): AclLine[] {
  if (name === '') throw wrong('user has no name', place)
  const lines = users.get(name) ?? []
  users.set(name, lines)
  return lines
}

/** Of two or more words the first says what is granted, and the topic may have spaces. */
function ruleOf(text: string, keyword: string, place: Required<FilePlace>): AclLine {
  if (text === '') throw wrong(`${keyword} has no topic`, place)
  const [first, rest] = firstWord(text)
  if (rest === '') return { access: 'readwrite', topic: filterOf(first, place), line: place.line }
  if (!accesses.has(first)) {
    throw wrong(`${keyword} grants '${first.slice(0, 50)}', it must be read, write, readwrite or deny`, place)
  }
  return { access: first as AclAccess, topic: filterOf(rest, place), line: place.line }
}

function filterOf(text: string, place: FilePlace): string {
  try {
    return parseTopicFilter(text, { maximumLevels: mostLevels })
  } catch (error) {
    if (!(error instanceof TopicError)) throw error
    throw wrong(`'${text.slice(0, 100)}' is no topic filter: ${error.message}`, place)
  }
}

/** Only spaces part words. */
function firstWord(text: string): readonly [word: string, rest: string] {
  const start = text.replace(/^ +/, '')
  const end = start.indexOf(' ')
  return end < 0 ? [start, ''] : [start.slice(0, end), start.slice(end).trim()]
}

function wrong(what: string, place: FilePlace): AuthError {
  return new AuthError('ACL_FILE_INVALID', what, place)
}
