// A NestJS application with the broker inside. Devices connect to it by MQTT; what they say comes to a controller, which may answer,
// by Nest's MQTT transport: it is a client of the broker like they are. PORT: where to listen.
import { Controller, Inject, Module } from '@nestjs/common'
import type { OnApplicationShutdown } from '@nestjs/common'
import { NestFactory } from '@nestjs/core'
import { ClientsModule, Ctx, EventPattern, MessagePattern, Payload, Transport } from '@nestjs/microservices'
import type { ClientProxy, MqttContext } from '@nestjs/microservices'
import { createBroker } from '@x/broker'
import type { Broker } from '@x/broker'

const { PORT = '1883' } = process.env
const mqtt = { transport: Transport.MQTT, options: { url: `mqtt://127.0.0.1:${PORT}` } } as const
const hottest = 30

@Controller()
class Thermometers {
  readonly #client: ClientProxy

  constructor(@Inject('MQTT') client: ClientProxy) {
    this.#client = client
  }

  /** A device has published a number, such as `21.5`. */
  @EventPattern('sensors/+/temperature')
  measured(@Payload() celsius: number, @Ctx() context: MqttContext): void {
    const [, room] = context.getTopic().split('/')
    if (celsius > hottest) this.#client.emit(`alarms/${room}`, celsius)
  }

  /** Another service asks, with `client.send('fahrenheit', 21.5)`. */
  @MessagePattern('fahrenheit')
  fahrenheit(@Payload() celsius: number): number {
    return celsius * 1.8 + 32
  }
}

/** It is there before the transport connects to it. */
const broker = {
  provide: 'BROKER',
  async useFactory(): Promise<Broker> {
    const made = createBroker()
    await made.listen({ port: Number(PORT), host: '127.0.0.1' })
    return made
  },
}

@Module({
  imports: [ClientsModule.register([{ name: 'MQTT', ...mqtt }])],
  controllers: [Thermometers],
  providers: [broker],
})
class Application implements OnApplicationShutdown {
  readonly #broker: Broker

  constructor(@Inject('BROKER') made: Broker) {
    this.#broker = made
  }

  async onApplicationShutdown(): Promise<void> {
    await this.#broker.close()
  }
}

const application = await NestFactory.createMicroservice(Application, { ...mqtt, logger: ['error', 'warn'] })
application.enableShutdownHooks()
await application.listen()
console.log(`listening on ${mqtt.options.url}`)
