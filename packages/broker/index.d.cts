// CommonJS loads these ES modules (Node.js from 20.19), which TypeScript knows only from 5.8.
// @ts-ignore
export * from './dist/index.js'
// @ts-ignore
export { default } from './dist/index.js'
