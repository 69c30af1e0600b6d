import type { QoS, SubscribePacket, Subscription, UnsubscribePacket } from '@x/packet'

/** A filter with the QoS it asks for, 0 by default. */
export type SubscriptionRequest = Omit<Subscription, 'qos'> & { qos?: QoS }

/** The forms in which a program may subscribe a client: one subscription, a list, or a packet. */
export type SubscribeRequest =
  | SubscriptionRequest
  | SubscriptionRequest[]
  | { subscriptions: SubscriptionRequest[]; messageId?: number }
  | SubscribePacket

/** A filter, alone or as the topic of an object. */
export type Unsubscription = string | { topic: string }

/** The forms in which a program may unsubscribe a client: one filter, a list, or a packet. */
export type UnsubscribeRequest =
  | Unsubscription
  | Unsubscription[]
  | { subscriptions: Unsubscription[]; messageId?: number }
  | { unsubscriptions: Unsubscription[]; messageId?: number }
  | UnsubscribePacket
