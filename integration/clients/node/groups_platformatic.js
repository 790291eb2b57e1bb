// @platformatic/kafka in a group. usage: groups_platformatic.js BOOTSTRAP TOPIC COUNT

import { readFileSync } from 'node:fs'
import { Consumer, MessagesStreamModes } from '@platformatic/kafka'
import { check, finish } from './common.js'

const { version } = JSON.parse(readFileSync(new URL('../node_modules/@platformatic/kafka/package.json', import.meta.url)))
const [bootstrap, topic, count] = process.argv.slice(2)
const consumer = new Consumer({
  clientId: 'groups', groupId: 'platformatic', bootstrapBrokers: [bootstrap], sessionTimeout: 6000, heartbeatInterval: 200
})
const stream = await consumer.consume({
  topics: [topic], mode: MessagesStreamModes.COMMITTED, fallbackMode: 'earliest', autocommit: false, maxWaitTime: 50
})
const seen = new Set()
for await (const message of stream) {
  const record = `${message.partition}-${message.offset}`
  check(`${record} once`, !seen.has(record))
  seen.add(record)
  await message.commit()
  if (seen.size === Number(count)) break
}
check('all are read', seen.size === Number(count), seen.size)
await consumer.close(true)
finish('platformatic', version)
