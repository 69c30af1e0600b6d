import { FilterTrie, parseTopicFilter, TopicIndex } from '@x/topic-trie'

// Who gets a message on a topic?
const subscriptions = new FilterTrie<string>()
subscriptions.add(parseTopicFilter('home/+/temperature'), 'alice', 'alice, any room')
subscriptions.add(parseTopicFilter('home/#'), 'bob', 'bob, everything at home')
console.log(subscriptions.match('home/kitchen/temperature').toSorted())
// [ 'alice, any room', 'bob, everything at home' ]

subscriptions.remove(parseTopicFilter('home/#'), 'bob')
console.log(subscriptions.match('home/kitchen/temperature'))
// [ 'alice, any room' ]

// Which topics does a subscription ask for?
const retained = new TopicIndex<number>()
retained.set('home/hall/light', 21)
retained.set('home/attic/light', 14)
retained.set('$SYS/uptime', 3600)
console.log([...retained.match('+/+/light')])
// [ [ 'home/attic/light', 14 ], [ 'home/hall/light', 21 ] ]
