import type { SubjectDetails } from '../access-rules.ts'
import type { AuthError } from '../auth-error.ts'
import { parseRule } from '../rule-text.ts'
import { unavailable } from './bounded-fetch.ts'
import type { HttpResponse } from './bounded-fetch.ts'

/** What a server has said. */
export interface HttpAnswer {
  readonly result: 'allow' | 'deny' | 'ignore'
  readonly username?: string
  readonly details?: SubjectDetails
  /** ms since 1970. */
  readonly expiresAt?: number
}

/** Mean that the server would have to be asked again, not that it has refused. */
const passing: ReadonlySet<number> = new Set([408, 425, 429])

/** @throws AuthError `HTTP_UNAVAILABLE` for a response that says nothing */
export function answerOf({ status, text }: HttpResponse, answers: 'body' | 'status', url: string): HttpAnswer {
  if (status >= 400 && status < 500 && !passing.has(status)) return { result: 'deny' }
  if (status < 200 || status >= 300) throw unavailable(url, `it has responded with status ${status}`)
  if (answers === 'status' || status === 204) return { result: 'allow' }
  return bodyAnswer(text, what => unavailable(url, what))
}

function bodyAnswer(text: string, wrong: (what: string) => AuthError): HttpAnswer {
  const body = objectOf(text)
  const { result, username, expire_at: expiry, claims, groups, roles, rules } = body
  if (result !== 'allow' && result !== 'deny' && result !== 'ignore') {
    throw wrong('its response is no JSON object whose "result" is allow, deny or ignore')
  }
  if (result !== 'allow') return { result }
  if (username !== undefined && typeof username !== 'string') throw wrong('"username" of its response is no text')
  if (expiry !== undefined && typeof expiry !== 'number') throw wrong('"expire_at" of its response is no number')
  const names = (name: string, value: unknown): readonly string[] => {
    if (value === undefined || isTexts(value)) return value ?? []
    throw wrong(`"${name}" of its response is no list of texts`)
  }
  return {
    result,
    ...(username !== undefined && username !== '' && { username }),
    ...(expiry !== undefined && { expiresAt: expiry * 1000 }),
    details: {
      claims: new Map(Object.entries(isObject(claims) ? claims : {})),
      groups: names('groups', groups),
      roles: names('roles', roles),
      rules: checkedRules(names('rules', rules), wrong),
    },
  }
}

function checkedRules(rules: readonly string[], wrong: (what: string) => AuthError): readonly string[] {
  try {
    for (const rule of rules) parseRule(rule)
    return rules
  } catch (error) {
    throw wrong(`a rule of its response is none, it must be ${(error as Error).message}`)
  }
}

function objectOf(text: string): Readonly<Record<string, unknown>> {
  try {
    const value: unknown = JSON.parse(text)
    return isObject(value) ? value : {}
  } catch {
    return {}
  }
}

function isObject(value: unknown): value is Readonly<Record<string, unknown>> {
  return typeof value === 'object' && value !== null && !Array.isArray(value)
}

/** Whether it is a list of texts. */
export function isTexts(value: unknown): value is readonly string[] {
  return Array.isArray(value) && value.every(one => typeof one === 'string')
}
