import { problemTable } from './problem.ts'
import { objectOf, schemas } from './route.ts'
import type { JsonSchema, Route } from './route.ts'

const problemSchema: JsonSchema = objectOf(
  {
    type: schemas.text,
    title: schemas.text,
    status: schemas.count,
    detail: schemas.text,
    code: { type: 'string', enum: Object.keys(problemTable) },
    errors: { type: 'array', items: objectOf({ field: schemas.text, detail: schemas.text }) },
  },
  ['errors'],
)

/** The documentation of the API, made of its routes: OpenAPI 3.1. */
export function openApi(routes: readonly Route[], version: string): object {
  const paths: Record<string, Record<string, object>> = {}
  for (const route of routes) {
    const path = route.path.replace(/:(\w+)/g, '{$1}')
    paths[path] = { ...paths[path], [route.method.toLowerCase()]: operationOf(route) }
  }
  return {
    openapi: '3.1.0',
    info: { title: 'x-broker', version, description: 'Looks at an MQTT broker, and changes what it does.' },
    paths,
    security: [{ key: [] }, { user: [] }],
    components: {
      schemas: { Problem: problemSchema },
      securitySchemes: { key: { type: 'http', scheme: 'bearer' }, user: { type: 'http', scheme: 'basic' } },
    },
  }
}

function operationOf({ method, path, role, summary, parameters, query, required = [], body, response }: Route): object {
  const problem = { description: 'a problem', content: { 'application/problem+json': { schema: problemReference } } }
  return {
    operationId: `${method.toLowerCase()}${path.replace(/\W+(\w?)/g, (_, letter: string) => letter.toUpperCase())}`,
    summary,
    description: `Role: ${role}`,
    parameters: [
      ...Object.entries(parameters ?? {}).map(([name, schema]) => ({ name, in: 'path', required: true, schema })),
      ...Object.entries(query ?? {}).map(([name, schema]) => ({
        name,
        in: 'query',
        required: required.includes(name),
        schema,
      })),
    ],
    ...(body !== undefined && { requestBody: { required: true, content: { 'application/json': { schema: body } } } }),
    responses: {
      200: { description: 'done', content: { 'application/json': { schema: response } } },
      default: problem,
    },
  }
}

const problemReference = { $ref: '#/components/schemas/Problem' } as const
