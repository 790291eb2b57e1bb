// kafkajs. usage: kafkajs.js BOOTSTRAP PREFIX
// Its consumer knows only groups; assignment goes through the parts that the consumer itself is made of.

import { createRequire } from 'node:module'
import {
  BASE_TIME, CODECS, COUNT, LARGEST_VALUE, ONE_MIB, TIMES, check, failure, finish, key, large, range, same, value
} from './common.js'

const require = createRequire(import.meta.url)
const { CompressionCodecs, CompressionTypes, Kafka, Partitioners, logLevel } = require('kafkajs')
const Broker = require('kafkajs/src/broker')
const Cluster = require('kafkajs/src/cluster')
const { createLogger } = require('kafkajs/src/loggers')
const consoleLog = require('kafkajs/src/loggers/console')
const socketFactory = require('kafkajs/src/network/socketFactory')
const lz4 = require('lz4-napi')
const { ZstdCodec } = require('zstd-codec')
const { version } = require('kafkajs/package.json')

const [bootstrap, prefix] = process.argv.slice(2)
const zstd = await new Promise(resolve => ZstdCodec.run(codec => resolve(new codec.Simple())))
const plugIn = (compress, decompress) => () => ({
  compress: async encoder => Buffer.from(compress(encoder.buffer)),
  decompress: async buffer => Buffer.from(decompress(buffer))
})
CompressionCodecs[CompressionTypes.Snappy] = require('kafkajs-snappy')
CompressionCodecs[CompressionTypes.LZ4] = plugIn(lz4.compressFrameSync, lz4.decompressFrameSync)
CompressionCodecs[CompressionTypes.ZSTD] = plugIn(bytes => zstd.compress(bytes), bytes => zstd.decompress(bytes))
const types = { none: 'None', gzip: 'GZIP', snappy: 'Snappy', lz4: 'LZ4', zstd: 'ZSTD' }

const options = { brokers: [bootstrap], clientId: 'kafkajs-test', retry: { retries: 3 } }
const kafka = new Kafka({ ...options, logLevel: logLevel.NOTHING })
const admin = kafka.admin()
await admin.connect()

async function topic (name, numPartitions = 1, configEntries = []) {
  const topic = `${prefix}-${name}`
  const created = await admin.createTopics({ topics: [{ topic, numPartitions, replicationFactor: 1, configEntries }] })
  check(`create ${name}`, created)
  return topic
}

async function produce (topic, messages, codec = 'none', producerOptions = {}) {
  const producer = kafka.producer({ createPartitioner: Partitioners.DefaultPartitioner, ...producerOptions })
  await producer.connect()
  try {
    return await producer.send({
      topic, acks: -1, compression: CompressionTypes[types[codec]], messages: messages.map(m => ({ partition: 0, ...m }))
    })
  } finally {
    await producer.disconnect()
  }
}

const cluster = new Cluster({
  ...options,
  socketFactory: socketFactory(),
  logger: createLogger({ level: logLevel.NOTHING, logCreator: consoleLog }),
  connectionTimeout: 5000,
  allowAutoTopicCreation: false
})
await cluster.connect()

// Reads partition 0 up to its end.
async function consume (topic, from = 0) {
  await cluster.addTargetTopic(topic)
  const [leader] = Object.keys(cluster.findLeaderForPartitions(topic, [0]))
  const broker = await cluster.findBroker({ nodeId: leader })
  check('broker', broker instanceof Broker)
  const end = Number((await admin.fetchTopicOffsets(topic))[0].high)
  const messages = []
  for (let fetchOffset = from; fetchOffset < end;) {
    const partitions = [{ partition: 0, currentLeaderEpoch: -1, fetchOffset, maxBytes: 4 << 20 }]
    const { responses } = await broker.fetch({ isolationLevel: 0, maxBytes: 8 << 20, topics: [{ topic, partitions }] })
    const fetched = responses[0].partitions[0].messages.filter(m => Number(m.offset) >= fetchOffset)
    check('progress', fetched.length > 0)
    messages.push(...fetched)
    fetchOffset = Number(fetched.at(-1).offset) + 1
  }
  return messages
}

const created = await topic('create', 3, [{ name: 'retention.ms', value: '3600000' }])
const metadata = await admin.fetchTopicMetadata({ topics: [created] })
same('partitions', metadata.topics[0].partitions.length, 3)
const again = await admin.createTopics({ topics: [{ topic: created, numPartitions: 1, replicationFactor: 1 }] })
same('second creation', again, false)

for (const codec of CODECS) {
  const name = await topic(codec)
  const sent = range(0, COUNT).map(i => ({ key: key(i), value: value(i), headers: { codec } }))
  const [result] = await produce(name, sent, codec)
  same('delivery', [result.errorCode, result.baseOffset], [0, '0'])
  const read = await consume(name)
  same('count', read.length, COUNT)
  read.forEach((m, i) => same('message', [m.offset, m.key, m.value, m.headers],
    [`${i}`, key(i), value(i), { codec: Buffer.from(codec) }]))
  same('from the middle', (await consume(name, 57)).map(m => m.offset), range(57, COUNT).map(String))
}

const special = await topic('special')
await produce(special, [
  { value: 'only-value' },
  { key: 'only-key', value: null },
  { value: null },
  { key: 'k', value: 'v', headers: { h: ['1', '2'], n: '', e: '' } }
])
const buffer = text => (text === null ? null : Buffer.from(text))
same('nulls and headers', (await consume(special)).map(m => [m.key, m.value, m.headers]), [
  [null, buffer('only-value'), {}], [buffer('only-key'), null, {}], [null, null, {}],
  [buffer('k'), buffer('v'), { h: [buffer('1'), buffer('2')], n: buffer(''), e: buffer('') }]
])

const largest = await topic('large')
same('largest', (await produce(largest, [{ value: large(LARGEST_VALUE) }]))[0].baseOffset, '0')
const tooLarge = await failure('oversized', () => produce(largest, [{ value: large(LARGEST_VALUE + 1) }]))
same('oversized', tooLarge.type, 'MESSAGE_TOO_LARGE')
const back = await consume(largest)
check('largest comes back', back.length === 1 && back[0].value.equals(large(LARGEST_VALUE)))
const mebibyte = await topic('mebibyte', 1, [{ name: 'max.message.bytes', value: '2097152' }])
for (const offset of ['0', '1', '2']) {
  same('1 MiB', (await produce(mebibyte, [{ value: large(ONE_MIB) }]))[0].baseOffset, offset)
}
same('1 MiB comes back', (await consume(mebibyte)).map(m => m.value.equals(large(ONE_MIB))), [true, true, true])

const timed = await topic('time')
await produce(timed, range(0, TIMES).map(i => ({ value: value(i), timestamp: `${BASE_TIME + i * 1000}` })))
for (const [asked, offset] of [[0, '0'], [BASE_TIME + 4500, '5'], [BASE_TIME + 9000, '9'], [BASE_TIME + 10 ** 6, '10']]) {
  same('offset by time', await admin.fetchTopicOffsetsByTimestamp(timed, asked), [{ partition: 0, offset }])
}
same('bounds', await admin.fetchTopicOffsets(timed), [{ partition: 0, offset: '10', high: '10', low: '0' }])

const unknown = await failure('unknown topic', () => admin.fetchTopicOffsets(`${prefix}-unknown`))
same('unknown topic', (unknown.cause ?? unknown).type, 'UNKNOWN_TOPIC_OR_PARTITION')

const idempotent = await topic('idempotent')
const numbered = range(0, COUNT).map(i => ({ key: key(i), value: value(i) }))
const once = { idempotent: true, maxInFlightRequests: 1 }
same('idempotent', (await produce(idempotent, numbered, 'none', once))[0].baseOffset, '0')
same('in order', (await consume(idempotent)).map(m => m.value), range(0, COUNT).map(value))

const deleted = await topic('deleted')
await admin.deleteTopics({ topics: [deleted] })
check('deletion', !(await admin.listTopics()).includes(deleted))

finish('kafkajs', version)
