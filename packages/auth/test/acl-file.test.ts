import { expect, test } from 'vitest'
import { parseAclFile } from '../src/index.ts'

type Question = readonly [username: string | undefined, clientId: string, access: 'publish' | 'receive', topic: string]

function may(text: string, [username, clientId, access, topic]: Question): boolean {
  return parseAclFile(text, 'acl').rightsOf(username, clientId).may(access, topic)
}

test.for<[why: string, text: string, question: Question, allowed: boolean]>([
  ['a file without a line grants nothing', '', [undefined, 'c', 'publish', 'a'], false],
  ['a file of comments grants nothing', '# all\n#topic #\n', ['u', 'c', 'receive', 'a'], false],
  ['without a keyword both are granted', 'topic a/#', [undefined, 'c', 'publish', 'a/b'], true],
  ['without a keyword both are granted', 'topic a/#', [undefined, 'c', 'receive', 'a'], true],
  ['read is not write', 'topic read a', [undefined, 'c', 'publish', 'a'], false],
  ['write is not read', 'topic write a', [undefined, 'c', 'receive', 'a'], false],
  ['readwrite is both', 'topic readwrite a', [undefined, 'c', 'receive', 'a'], true],
  ['a topic may have spaces behind a keyword', 'topic read a b  c ', [undefined, 'c', 'receive', 'a b  c'], true],
  ['a keyword alone is a topic', 'topic read', [undefined, 'c', 'publish', 'read'], true],
  ['the first section is for clients without name', 'topic a', ['u', 'c', 'receive', 'a'], false],
  ['a section is for its user', 'user u\ntopic a', ['u', 'c', 'receive', 'a'], true],
  ['and for nobody else', 'user u\ntopic a', ['v', 'c', 'receive', 'a'], false],
  ['and not for clients without name', 'user u\ntopic a', [undefined, 'c', 'receive', 'a'], false],
  ['names may have spaces', 'user u v\ntopic a', ['u v', 'c', 'receive', 'a'], true],
  [
    'sections of one name add up',
    'user u\ntopic a\nuser v\ntopic b\nuser u\ntopic c',
    ['u', 'c', 'receive', 'c'],
    true,
  ],
  ['a denial outweighs a grant before it', 'topic a/#\ntopic deny a/b', [undefined, 'c', 'publish', 'a/b'], false],
  ['and one behind it', 'topic deny a/b\ntopic a/#', [undefined, 'c', 'receive', 'a/b'], false],
  ['a denial takes away what it names', 'topic deny a/b\ntopic a/#', [undefined, 'c', 'receive', 'a/c'], true],
  ['a pattern is for everybody', 'user u\npattern a', ['v', 'c', 'receive', 'a'], true],
  ['a pattern may deny', 'pattern a/#\npattern deny a/b', ['v', 'c', 'receive', 'a/b'], false],
  [
    'a grant to a user beats the denial of a pattern',
    'user u\ntopic a\npattern deny a',
    ['u', 'c', 'receive', 'a'],
    true,
  ],
  [
    'a denial to a user beats the grant of a pattern',
    'pattern a\nuser u\ntopic deny a',
    ['u', 'c', 'receive', 'a'],
    false,
  ],
  ['%c is the identifier', 'pattern a/%c/b', [undefined, 'c', 'publish', 'a/c/b'], true],
  ['%c is no other identifier', 'pattern a/%c/b', [undefined, 'c', 'publish', 'a/d/b'], false],
  ['%u is the name', 'pattern a/%u', ['u', 'c', 'publish', 'a/u'], true],
  ['a line with %u is not for clients without name', 'pattern a/%u', [undefined, 'c', 'publish', 'a/%u'], false],
  ['%c counts as a whole level', 'pattern a/x%c', [undefined, 'c', 'publish', 'a/xc'], false],
  ['elsewhere it is text', 'pattern a/x%c', [undefined, 'c', 'publish', 'a/x%c'], true],
  ['in a topic line it is text', 'topic a/%c', [undefined, 'c', 'publish', 'a/c'], false],
  ['an identifier with + matches nothing', 'pattern a/%c', [undefined, '+', 'receive', 'a/b'], false],
  ['an identifier with # matches nothing', 'pattern a/%c', [undefined, '#', 'receive', 'a/b'], false],
  ['nor may it use patterns without its name', 'pattern a', [undefined, 'x#', 'receive', 'a'], false],
  ['a name with + may not either', 'pattern a', ['+', 'c', 'receive', 'a'], false],
  ['but what is granted to the name counts', 'user +\ntopic a', ['+', 'c', 'receive', 'a'], true],
  ['an identifier with / is no level', 'pattern a/%c', [undefined, 'b/c', 'receive', 'a/b/c'], false],
  ['an identifier never leads into $ topics', 'pattern %c/#', [undefined, '$SYS', 'receive', '$SYS/x'], false],
  ['# does not match $ topics', 'topic #', [undefined, 'c', 'receive', '$SYS/x'], false],
  ['$ topics can be named', 'topic read $SYS/#', [undefined, 'c', 'receive', '$SYS/x'], true],
  ['names of objects are names', 'user __proto__\ntopic a', ['constructor', 'c', 'receive', 'a'], false],
  ['lines may end as Windows has them', 'user u\r\ntopic read a\r\n', ['u', 'c', 'receive', 'a'], true],
  ['lines may begin with spaces', '  topic   read   a', [undefined, 'c', 'receive', 'a'], true],
])('%s: %j', ([, text, question, allowed]) => {
  expect(may(text, question)).toBe(allowed)
})

test.for<[text: string, message: string]>([
  ['topic a\ntopics b', "acl:2: the line begins with 'topics', it must begin with user, topic or pattern"],
  [' # not a comment', "acl:1: the line begins with '#', it must begin with user, topic or pattern"],
  ['topic', 'acl:1: topic has no topic'],
  ['\n\npattern  ', 'acl:3: pattern has no topic'],
  ['user ', 'acl:1: user has no name'],
  ['topic reed a', "acl:1: topic grants 'reed', it must be read, write, readwrite or deny"],
  ['topic read a/#/b', "acl:1: 'a/#/b' is no topic filter: # is only allowed in SUBSCRIBE in the last position"],
  ['topic a+', "acl:1: 'a+' is no topic filter: + is only allowed in SUBSCRIBE between /"],
  [`topic ${'/'.repeat(201)}`, `acl:1: '${'/'.repeat(100)}' is no topic filter: topic has too many levels`],
  ['topic\tread\ta', "acl:1: the line begins with 'topic\tread\ta', it must begin with user, topic or pattern"],
])('%j is refused with its line', ([text, message]) => {
  expect(() => parseAclFile(text, 'acl')).toThrow(expect.objectContaining({ code: 'ACL_FILE_INVALID', message }))
})
