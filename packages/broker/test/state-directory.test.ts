import { expect, test } from 'vitest'
import { stateDirectory } from '../src/command/state-directory.ts'

const home = '/home/ann'

test.for([
  ['linux', {}, '/home/ann/.local/state/x-broker'],
  ['linux', { XDG_STATE_HOME: '/var/state' }, '/var/state/x-broker'],
  ['linux', { XDG_STATE_HOME: 'relative' }, '/home/ann/.local/state/x-broker'],
  ['linux', { XDG_STATE_HOME: '' }, '/home/ann/.local/state/x-broker'],
  ['freebsd', {}, '/home/ann/.local/state/x-broker'],
  ['darwin', { XDG_STATE_HOME: '/var/state' }, '/home/ann/Library/Application Support/x-broker'],
  ['win32', { LOCALAPPDATA: '/users/ann/local' }, '/users/ann/local/x-broker'],
  ['win32', {}, '/home/ann/AppData/Local/x-broker'],
] as const)('on %s with %o it is %s', ([platform, environment, expected]) => {
  expect(stateDirectory({ platform, environment, home })).toBe(expected)
})
