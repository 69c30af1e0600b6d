// What stands in for `lib/client.js`: tests ask whether a hook's client is one.
import { Duplex } from 'node:stream'
import { Aedes } from './aedes-here.mjs'

const { constructor } = new Aedes().handle(new Duplex())
export default constructor
