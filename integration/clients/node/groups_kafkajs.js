// kafkajs in a group of two. usage: groups_kafkajs.js BOOTSTRAP TOPIC COUNT

import { createRequire } from 'node:module'
import { check, finish } from './common.js'

const require = createRequire(import.meta.url)
const { Kafka, logLevel } = require('kafkajs')
const { version } = require('kafkajs/package.json')

const [bootstrap, topic, count] = process.argv.slice(2)
const groupId = 'kafkajs'
const kafka = new Kafka({ clientId: 'groups', brokers: [bootstrap], logLevel: logLevel.NOTHING })
const seen = new Set()
const owned = [[], []]

const members = owned.map((_, place) => {
  const member = kafka.consumer({ groupId, sessionTimeout: 6000, heartbeatInterval: 200, maxWaitTimeInMs: 50 })
  member.on(member.events.GROUP_JOIN, ({ payload }) => { owned[place] = payload.memberAssignment[topic] ?? [] })
  return member
})

for (const member of members) {
  await member.connect()
  await member.subscribe({ topics: [topic], fromBeginning: true })
  await member.run({
    // It commits after each batch, so that nothing is read again after a rebalance.
    eachMessage: async ({ partition, message }) => {
      const record = `${partition}-${message.offset}`
      check(`${record} once`, !seen.has(record))
      seen.add(record)
    }
  })
}

const isBalanced = () => owned.every(share => share.length > 0) && owned.flat().sort().join() === '0,1,2,3,4,5'
const end = Date.now() + 60_000
while (!(isBalanced() && seen.size >= Number(count))) {
  check('within 60 s', Date.now() < end, [owned, seen.size])
  await new Promise(resolve => setTimeout(resolve, 50))
}
for (const member of members) await member.disconnect()
check('all are read', seen.size === Number(count), seen.size)
finish('kafkajs', version)
