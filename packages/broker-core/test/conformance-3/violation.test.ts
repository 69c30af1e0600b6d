import { violationCases } from './violation.cases.ts'
import { testConnected } from './wire-case.ts'

testConnected(violationCases)
