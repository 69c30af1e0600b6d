import { MemoryPersistence } from '@x/persistence-memory'
import { RedisPersistence } from '@x/persistence-redis'
import { RedisEmitter } from '@x/emitter-redis'
import { WebSocketTransport } from '@x/transport-ws'
import { connectAsync } from 'mqtt'
import { expect, onTestFinished, test } from 'vitest'
import aedes, { Aedes, Broker, createBroker, sysTopics } from '../src/index.ts'
import { freePort } from '../../../tools/testing/free-port.ts'

const invalid = (message: string): unknown =>
  expect.objectContaining({ code: 'OPTION_INVALID', message: expect.stringContaining(message) as string })

test.each<[options: unknown, message: string]>([
  [null, 'the options of createBroker are null, they must be an object'],
  [1883, 'the options of createBroker are 1883'],
  ['redis://h', "the options of createBroker are 'redis://h'"],
  [[], 'the options of createBroker are an empty list'],
  [() => undefined, 'the options of createBroker are a function'],
  [{ maxQoS: 1 }, 'option maxQoS of createBroker is unknown (it is 1); did you mean maximumQoS?'],
  [{ autenticate: null }, 'did you mean authenticate?'],
  [{ port: 1883 }, 'option port of createBroker is unknown (it is 1883); known: '],
  [
    { logger: true },
    "option logger is true, it must be a logger like pino's, with the methods debug, info, warn, error",
  ],
  [{ logger: console.log }, 'option logger is the function'],
  [{ plugins: sysTopics() }, 'option plugins is an object, it must be a list of plugins'],
  [
    { plugins: [sysTopics] },
    'option plugins[0] is the function sysTopics, it must be a plugin, with the method attach: call it',
  ],
  [{ plugins: [sysTopics(), null] }, 'option plugins[1] is null'],
  [{ plugins: [{}] }, 'option plugins[0] is an empty object'],
  [{ authenticate: true }, 'option authenticate is true, it must be a function, or null'],
  [{ authorizePublish: 'all' }, "option authorizePublish is 'all'"],
  [{ published: {} }, 'option published is an empty object'],
  [{ concurrency: 0 }, 'option concurrency is 0'],
  [{ concurrency: '100' }, "option concurrency is '100'"],
  [{ heartbeatInterval: Number.NaN }, 'option heartbeatInterval is NaN'],
  [{ hookTimeout: -1 }, 'option hookTimeout is -1'],
  [{ connectTimeout: null }, 'option connectTimeout is null'],
  [{ retainAvailable: 'yes' }, "option retainAvailable is 'yes', it must be true or false"],
  [{ trustProxy: 1 }, 'option trustProxy is 1, it must be true or false'],
  [{ trustedProxies: '10.0.0.1' }, "option trustedProxies is '10.0.0.1', it must be a list of addresses"],
  [{ persistence: 'memory' }, "option persistence is 'memory', it must be a Persistence"],
  [{ persistence: MemoryPersistence }, 'option persistence is the function MemoryPersistence'],
  [{ persistence: {} }, 'option persistence is not usable'],
  [{ mq: true }, 'option mq is true, it must be an Emitter'],
  [{ emitter: {} }, 'is not usable'],
  [{ clock: {} }, 'option clock is an empty object, it must be a Clock'],
  [{ clock: Date }, 'option clock is the function Date'],
  [{ mesh: 1 }, 'option mesh is 1, it must be the path of a directory'],
  [{ mesh: {} }, 'option mesh is an empty object'],
  [{ mesh: { directory: '/m', leese: 1 } }, 'option leese of mesh is unknown (it is 1); did you mean lease?'],
  [{ mesh: { listen: '0.0.0.0:1' } }, 'option mesh is not usable: option listen is'],
  [{ mesh: '/m', emitter: {} }, 'option mesh has nothing to do: the emitter is given by emitter'],
  [{ metrics: 70_000 }, 'option metrics is 70000, it must be a port (0 to 65535), or an object'],
  [{ admin: 70_000 }, 'option admin is 70000, it must be a port (0 to 65535), or an object'],
  [{ admin: { port: 1 } }, 'option port of admin is unknown (it is 1)'],
  [{ metrics: null }, 'option metrics is null'],
  [{ tracing: 2 }, 'option tracing is 2, it must be a number from 0 to 1, or an object'],
  [{ tracing: { ratio: 2 } }, 'option ratio is 2, it must be a number from 0 to 1'],
  [{ metrics: { port: 1 } }, 'option port of metrics is unknown (it is 1)'],
  [{ workers: 4 }, 'option workers is 4, but a program forks its processes itself'],
  [{ redis: 6379 }, 'option redis is 6379, it must be a URL'],
  [{ redis: {} }, 'option redis is an empty object'],
  [
    { redis: { redis: 'redis://h', durabilty: 'replicated' } },
    "option durabilty of redis is unknown (it is 'replicated'); did you mean durability?",
  ],
  [{ redis: { redis: 'redis://h', maximumInboxBytes: 1 } }, 'option maximumInboxBytes is 1'],
])('createBroker(%j) is refused at once', (options, message) => {
  for (const make of [createBroker, aedes, (given: never) => new Broker(given), (given: never) => new Aedes(given)]) {
    expect(() => make(options as never)).toThrow(invalid(message))
  }
})

test('what Aedes’s programs may say for none is none', async () => {
  const broker = createBroker({ persistence: null, mq: null, logger: null, authenticate: null, decodeProtocol: null })
  onTestFinished(() => broker.close())
  await broker.ready
})

test.each<[options: unknown, message: string]>([
  [null, 'the options of listen are null'],
  ['1883', "the options of listen are '1883'"],
  [[1883], 'the options of listen are a list of 1883'],
  [() => undefined, 'the options of listen are a function'],
  [-1, 'option port is -1, it must be a whole number from 0 to 65535'],
  [1.5, 'option port is 1.5'],
  [Number.NaN, 'option port is NaN'],
  [70_000, 'option port is 70000'],
  [{ prot: 0 }, 'option prot of listen is unknown (it is 0); did you mean port?'],
  [{ webSocket: true }, 'did you mean websocket?'],
  [{ port: null }, 'option port is null'],
  [{ port: '45495' }, "option port is '45495'"],
  [{ tls: {} }, 'option tls is an empty object, it must be an object with key and cert'],
  [{ tls: true }, 'option tls is true, it must be an object with key and cert'],
  [{ tls: null }, 'option tls is null'],
  [{ tls: { key: 'k' } }, "option tls is a list of 'key', it must be an object with key and cert"],
  [{ tls: { cert: 'c', requestCert: true } }, 'it must be an object with key and cert'],
  [{ tls: { key: 'k', certs: 'c' } }, 'did you mean cert?'],
  [{ tls: { key: 'k', cert: 'c', requestCerts: true } }, 'did you mean requestCert?'],
  [{ host: 5 }, 'option host is 5'],
  [{ host: [null] }, 'option host is a list of object'],
  [{ protocols: 'mqtt' }, "option protocols is 'mqtt', it must be a list of"],
  [{ websocket: 1 }, 'option websocket is 1, it must be true or false'],
  [{ websocket: true, path: 7 }, 'option path is 7'],
  [{ websocket: true, origins: 'https://x' }, "option origins is 'https://x'"],
  [{ websocket: true, maximumPayload: '1' }, 'option maximumPayload is "1"'],
  [{ trustProxy: 'yes' }, "option trustProxy is 'yes'"],
  [{ trustedProxies: '10.0.0.1' }, "option trustedProxies is '10.0.0.1'"],
  [{ allow: '10.0.0.1' }, "option allow is '10.0.0.1'"],
  [{ deny: null }, 'option deny is null'],
  [{ name: 7 }, 'option name is 7'],
  [{ socketPath: '' }, "option socketPath is ''"],
  [{ backlog: '5' }, "option backlog is '5'"],
  [{ maximumConnections: -1 }, 'option maximumConnections is -1'],
])('listen(%j) is refused, and nothing is listened on', async (options, message) => {
  const broker = createBroker()
  onTestFinished(() => broker.close())
  await expect(broker.listen(options as never)).rejects.toThrow(invalid(message))
  expect(broker.listenerConnections).toEqual([])
})

test('listen takes a port as it is', async () => {
  const broker = createBroker()
  onTestFinished(() => broker.close())
  const port = await freePort()
  expect(await broker.listen(port)).toMatchObject({ port, name: `mqtt:${port}` })
  await (await connectAsync(`mqtt://127.0.0.1:${port}`)).endAsync()
})

test('subscribe, unsubscribe and mq.on without a function are refused', async () => {
  const broker = createBroker()
  onTestFinished(() => broker.close())
  for (const deliver of [undefined, null, 'z', {}]) {
    await expect(broker.subscribe('z', deliver as never)).rejects.toThrow(invalid('option deliver is '))
    await expect(broker.unsubscribe('z', deliver as never)).rejects.toThrow(invalid('option deliver is '))
    expect(() => broker.mq.on('z', deliver as never)).toThrow(invalid('option deliver is '))
  }
  await broker.publish({ topic: 'z' })
})

test('the parts refuse what they do not know', () => {
  const parts: readonly [make: () => unknown, message: string][] = [
    [() => new MemoryPersistence({ maxSessions: 5 } as never), 'did you mean maximumSessions?'],
    [() => new MemoryPersistence({ maximumSessions: -1 }), 'option maximumSessions is -1'],
    [() => new MemoryPersistence(null as never), 'the options of MemoryPersistence are null'],
    [() => new RedisPersistence({ redis: 'redis://h', prefx: 'a' } as never), 'did you mean prefix?'],
    [() => new RedisPersistence({ redis: 'redis://h', prefix: 'a:b' }), "option prefix is 'a:b'"],
    [() => new RedisPersistence({ redis: 'redis://h', maximumSessions: Number.NaN }), 'option maximumSessions is NaN'],
    [() => new RedisPersistence('redis://h' as never), 'the options of RedisPersistence are'],
    [() => new RedisEmitter({ redis: 'redis://h', rooteTimeout: 1 } as never), 'did you mean routeTimeout?'],
    [() => new RedisEmitter({ redis: 'redis://h', routeTimeout: -1 }), 'option routeTimeout is -1'],
    [() => new RedisEmitter(null as never), 'the options of RedisEmitter are null'],
    [() => sysTopics({ intervall: 1000 } as never), 'did you mean interval?'],
    [() => sysTopics({ trees: ['all'] } as never), "option trees is a list of 'all'"],
    [() => sysTopics(1000 as never), 'the options of sysTopics are 1000'],
    [() => new WebSocketTransport(() => undefined, { paths: ['/'] } as never), 'did you mean path?'],
    [() => createBroker().listenerProfile({ name: 'x', autenticate: null } as never), 'did you mean authenticate?'],
  ]
  for (const [make, message] of parts) expect(make, message).toThrow(message)
})
