import { persistenceCompliance } from '@x/contract/compliance/persistence'
import { test } from 'vitest'
import { MemoryPersistence } from '../src/index.ts'

await persistenceCompliance({ test, factory: () => new MemoryPersistence() })
