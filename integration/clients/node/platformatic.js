// @platformatic/kafka: the newest-only client. usage: platformatic.js BOOTSTRAP PREFIX
// Streams belong to groups; assignment is its `fetch`, which goes by topic id.

import { readFileSync } from 'node:fs'
import { Admin, Consumer, Producer } from '@platformatic/kafka'
import {
  BASE_TIME, CODECS, COUNT, LARGEST_VALUE, ONE_MIB, TIMES, check, failure, finish, key, large, range, same, value
} from './common.js'

const { version } = JSON.parse(readFileSync(new URL('../node_modules/@platformatic/kafka/package.json', import.meta.url)))
const [bootstrap, prefix] = process.argv.slice(2)
const options = { clientId: 'platformatic-test', bootstrapBrokers: [bootstrap], retries: 2, timeout: 30_000 }
const admin = new Admin(options)
const consumer = new Consumer({ ...options, groupId: 'unused' })

async function topic (name, partitions = 1, configs = []) {
  const topic = `${prefix}-${name}`
  const [created] = await admin.createTopics({ topics: [topic], partitions, replicas: 1, configs })
  same(`create ${name}`, [created.name, created.partitions], [topic, partitions])
  return topic
}

async function produce (topic, messages, compression = 'none', producerOptions = {}) {
  const producer = new Producer({ ...options, ...producerOptions })
  try {
    const { offsets } = await producer.send({
      acks: -1, compression, messages: messages.map(message => ({ topic, partition: 0, ...message }))
    })
    return offsets[0].offset
  } finally {
    await producer.close()
  }
}

// Reads partition 0 up to its end.
async function consume (topic, from = 0n) {
  const metadata = await consumer.metadata({ topics: [topic], forceUpdate: true })
  const { id, partitions: [{ leader }] } = metadata.topics.get(topic)
  check('topic id', id !== '00000000-0000-0000-0000-000000000000', id)
  const end = (await consumer.listOffsets({ topics: [topic] })).get(topic)[0]
  const messages = []
  for (let next = from; next < end;) {
    const partition = {
      partition: 0, currentLeaderEpoch: -1, fetchOffset: next, lastFetchedEpoch: -1, partitionMaxBytes: 4 << 20
    }
    const { responses } = await consumer.fetch({
      node: leader, minBytes: 1, maxBytes: 8 << 20, maxWaitTime: 5000, isolationLevel: 0, topics: [{ topicId: id, partitions: [partition] }]
    })
    const before = next
    for (const batch of responses[0].partitions[0].records) {
      for (const record of batch.records) {
        const offset = batch.firstOffset + BigInt(record.offsetDelta)
        if (offset < next) continue
        messages.push({ offset, ...record })
        next = offset + 1n
      }
    }
    check('progress', next > before)
  }
  return messages
}

const created = await topic('create', 3, [{ name: 'retention.ms', value: '3600000' }])
same('partitions', (await admin.metadata({ topics: [created] })).topics.get(created).partitionsCount, 3)
const again = await failure('second creation', () => admin.createTopics({ topics: [created], partitions: 1, replicas: 1 }))
check('second creation', again.findBy('apiId', 'TOPIC_ALREADY_EXISTS'), again)

for (const codec of CODECS) {
  if (codec === 'zstd') continue // this client takes zstd from Node 22.15 or newer; it is listed by the test
  const name = await topic(codec)
  const headers = new Map([[Buffer.from('codec'), Buffer.from(codec)]])
  const sent = range(0, COUNT).map(i => ({ key: key(i), value: value(i), headers }))
  same('delivery', await produce(name, sent, codec), 0n)
  const read = await consume(name)
  same('count', read.length, COUNT)
  read.forEach((m, i) => same('message', [m.offset, m.key, m.value, m.headers],
    [BigInt(i), key(i), value(i), [[Buffer.from('codec'), Buffer.from(codec)]]]))
  same('from the middle', (await consume(name, 57n)).map(m => m.offset), range(57, COUNT).map(BigInt))
}

const special = await topic('special')
const bytes = text => (text === null ? null : Buffer.from(text))
// Keys of a Map are told apart by identity, so two Buffers of the same bytes make a repeated header.
const headers = [[bytes('h'), bytes('1')], [bytes('h'), bytes('2')], [bytes('n'), null], [bytes('e'), bytes('')]]
await produce(special, [
  { value: bytes('only-value') },
  { key: bytes('only-key'), value: null },
  { value: null },
  { key: bytes('k'), value: bytes('v'), headers: new Map(headers) }
])
same('nulls and headers', (await consume(special)).map(m => [m.key, m.value, m.headers]), [
  [null, bytes('only-value'), []], [bytes('only-key'), null, []], [null, null, []], [bytes('k'), bytes('v'), headers]
])

const largest = await topic('large')
same('largest', await produce(largest, [{ value: large(LARGEST_VALUE) }]), 0n)
const tooLarge = await failure('oversized', () => produce(largest, [{ value: large(LARGEST_VALUE + 1) }]))
check('oversized', tooLarge.findBy('apiId', 'MESSAGE_TOO_LARGE'), tooLarge)
const back = await consume(largest)
check('largest comes back', back.length === 1 && back[0].value.equals(large(LARGEST_VALUE)))
const mebibyte = await topic('mebibyte', 1, [{ name: 'max.message.bytes', value: '2097152' }])
for (const offset of [0n, 1n, 2n]) same('1 MiB', await produce(mebibyte, [{ value: large(ONE_MIB) }]), offset)
same('1 MiB comes back', (await consume(mebibyte)).map(m => m.value.equals(large(ONE_MIB))), [true, true, true])

const timed = await topic('time')
await produce(timed, range(0, TIMES).map(i => ({ value: value(i), timestamp: BigInt(BASE_TIME + i * 1000) })))
for (const [asked, offset] of [[0, 0n], [BASE_TIME + 4500, 5n], [BASE_TIME + 9000, 9n], [BASE_TIME + 10 ** 6, -1n]]) {
  const found = await consumer.listOffsets({ topics: [timed], timestamp: BigInt(asked) })
  same('offset by time', found.get(timed), [offset])
}
same('earliest', (await consumer.listOffsets({ topics: [timed], timestamp: -2n })).get(timed), [0n])
same('latest', (await consumer.listOffsets({ topics: [timed] })).get(timed), [BigInt(TIMES)])

const ask = () => admin.metadata({ topics: [`${prefix}-unknown`], autocreateTopics: false })
const unknown = await failure('unknown topic', ask)
check('unknown topic', unknown.message.startsWith('Unknown topic'), unknown)

const idempotent = await topic('idempotent')
const numbered = range(0, COUNT).map(i => ({ key: key(i), value: value(i) }))
same('idempotent', await produce(idempotent, numbered, 'none', { idempotent: true }), 0n)
same('in order', (await consume(idempotent)).map(m => m.value), range(0, COUNT).map(value))

const deleted = await topic('deleted')
await admin.deleteTopics({ topics: [deleted] })
check('deletion', !(await admin.listTopics()).includes(deleted))

finish('@platformatic/kafka', version)
