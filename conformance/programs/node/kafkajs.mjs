// Checks of kafkajs. The only argument is the broker's address.
import assert from 'node:assert/strict'
import zlib from 'node:zlib'
import kafkajs from 'kafkajs'
import SnappyCodec from 'kafkajs-snappy'
import { eventually, numbered, serve, unique } from './checks.mjs'

const { AssignerProtocol, CompressionCodecs, CompressionTypes, ConfigResourceTypes, Kafka, logLevel, PartitionAssigners } = kafkajs
const { AclOperationTypes, AclPermissionTypes, AclResourceTypes, ResourcePatternTypes } = kafkajs
const kafka = new Kafka({ brokers: [process.argv[2]], logLevel: logLevel.NOTHING })

CompressionCodecs[CompressionTypes.Snappy] = SnappyCodec
CompressionCodecs[CompressionTypes.ZSTD] = () => ({
  compress: (encoder) => zlib.zstdCompressSync(encoder.buffer),
  decompress: (buffer) => zlib.zstdDecompressSync(buffer)
})

async function withAdmin (action) {
  const admin = kafka.admin()
  await admin.connect()
  try {
    return await action(admin)
  } finally {
    await admin.disconnect()
  }
}

async function newTopic (numPartitions = 1) {
  const topic = unique('kafkajs')
  await withAdmin((admin) => admin.createTopics({ topics: [{ topic, numPartitions }] }))
  return topic
}

async function send (topic, messages, settings = {}, compression = CompressionTypes.None) {
  const producer = kafka.producer(settings)
  await producer.connect()
  const result = await producer.send({ topic, messages, compression })
  await producer.disconnect()
  return result
}

// Reads so many messages in a group of its own.
async function read (topic, count, settings = {}) {
  const messages = []
  const consumer = kafka.consumer({ groupId: unique('group'), maxWaitTimeInMs: 100, ...settings })
  await consumer.connect()
  await consumer.subscribe({ topic, fromBeginning: true })
  await consumer.run({ eachMessage: async ({ message }) => { messages.push(message) } })
  await eventually(`${count} messages`, () => messages.length >= count)
  await consumer.disconnect()
  return messages
}

const roundTrip = (compression) => async () => {
  const topic = await newTopic()
  await send(topic, numbered(1_000), {}, compression)
  const messages = await read(topic, 1_000)
  assert.equal(messages[999].value.toString(), 'value 999')
}

async function headersKeysTimestamps () {
  const topic = await newTopic()
  const headers = { a: ['1', '2'], b: '3' }
  await send(topic, [{ key: '키', value: null, headers, timestamp: '1234567890123' }])
  const [message] = await read(topic, 1)
  assert.equal(message.key.toString(), '키')
  assert.equal(message.value, null)
  assert.equal(message.timestamp, '1234567890123')
  assert.deepEqual(message.headers.a.map(String), ['1', '2'])
}

const membersComeAndGo = (assigner) => async () => {
  const topic = await newTopic(6)
  const groupId = unique('group')
  const values = new Set()
  const owned = new Map()
  const join = async (name) => {
    const settings = { groupId, maxWaitTimeInMs: 100, heartbeatInterval: 300, rebalanceTimeout: 5_000 }
    const consumer = kafka.consumer({ ...settings, partitionAssigners: [assigner] })
    consumer.on(consumer.events.GROUP_JOIN, ({ payload }) => owned.set(name, payload.memberAssignment[topic]?.length ?? 0))
    await consumer.connect()
    await consumer.subscribe({ topic, fromBeginning: true })
    await consumer.run({ eachMessage: async ({ message }) => { values.add(message.value.toString()) } })
    return consumer
  }
  const shared = (expected) => eventually(`shares of ${expected}`, () => {
    return [...owned.values()].sort().join() === expected.join()
  })
  await send(topic, numbered(600))
  const first = await join('first')
  await shared([6])
  const second = await join('second')
  await shared([3, 3])
  const third = await join('third')
  await shared([2, 2, 2])
  await second.disconnect()
  owned.delete('second')
  await shared([3, 3])
  await eventually('every message', () => values.size === 600)
  await Promise.all([first.disconnect(), third.disconnect()])
}

// An assigner written by a user: all partitions to the first member.
const toTheFirst = ({ cluster }) => ({
  name: 'ToTheFirst',
  version: 1,
  protocol: ({ topics }) => ({
    name: 'ToTheFirst',
    metadata: AssignerProtocol.MemberMetadata.encode({ version: 1, topics, userData: Buffer.from('mine') })
  }),
  assign: async ({ members, topics }) => {
    const all = Object.fromEntries(topics.map((topic) => [topic, cluster.findTopicPartitionMetadata(topic).map((each) => each.partitionId)]))
    return members.map(({ memberId }, i) => ({
      memberId,
      memberAssignment: AssignerProtocol.MemberAssignment.encode({ version: 1, assignment: i ? {} : all })
    }))
  }
})

async function ownAssigner () {
  const topic = await newTopic(3)
  await send(topic, numbered(300))
  assert.equal((await read(topic, 300, { partitionAssigners: [toTheFirst] })).length, 300)
}

async function transactions () {
  const topic = await newTopic(3)
  const producer = kafka.producer({ transactionalId: unique('tx'), maxInFlightRequests: 1, idempotent: true })
  await producer.connect()
  for (let round = 0; round < 6; round++) {
    const transaction = await producer.transaction()
    await transaction.send({ topic, messages: numbered(10).map(({ key }) => ({ key, value: String(round) })) })
    await (round % 2 ? transaction.abort() : transaction.commit())
  }
  await producer.disconnect()
  await send(topic, [{ value: '0' }])
  const messages = await read(topic, 31)
  assert.ok(messages.every(({ value }) => Number(value) % 2 === 0))
}

async function consumeTransformProduce () {
  const from = await newTopic(2)
  const to = await newTopic(2)
  await send(from, numbered(200))
  const groupId = unique('group')
  const producer = kafka.producer({ transactionalId: unique('tx'), maxInFlightRequests: 1, idempotent: true })
  const consumer = kafka.consumer({ groupId, maxWaitTimeInMs: 100 })
  await Promise.all([producer.connect(), consumer.connect()])
  await consumer.subscribe({ topic: from, fromBeginning: true })
  let done = 0
  await consumer.run({
    autoCommit: false,
    eachBatch: async ({ batch, resolveOffset }) => {
      const transaction = await producer.transaction()
      await transaction.send({ topic: to, messages: batch.messages.map(({ key, value }) => ({ key, value })) })
      const offset = String(BigInt(batch.lastOffset()) + 1n)
      const topics = [{ topic: from, partitions: [{ partition: batch.partition, offset }] }]
      await transaction.sendOffsets({ consumerGroupId: groupId, topics })
      await transaction.commit()
      resolveOffset(batch.lastOffset())
      done += batch.messages.length
    }
  })
  await eventually('200 messages', () => done === 200)
  await Promise.all([producer.disconnect(), consumer.disconnect()])
  const offsets = await withAdmin((admin) => admin.fetchOffsets({ groupId, topics: [from] }))
  assert.equal(offsets[0].partitions.reduce((sum, { offset }) => sum + Number(offset), 0) >= 200, true)
  assert.equal(new Set((await read(to, 200)).map(({ value }) => value.toString())).size, 200)
}

const adminTopics = () => withAdmin(async (admin) => {
  const topic = await newTopic(2)
  assert.equal(await admin.createTopics({ topics: [{ topic }] }), false)
  await admin.createPartitions({ topicPartitions: [{ topic, count: 4 }] })
  const { topics } = await admin.fetchTopicMetadata({ topics: [topic] })
  assert.equal(topics[0].partitions.length, 4)
  await send(topic, numbered(10).map((each) => ({ ...each, partition: 0 })))
  const offsets = await admin.fetchTopicOffsets(topic)
  assert.equal(offsets.find(({ partition }) => partition === 0).offset, '10')
  await admin.deleteTopicRecords({ topic, partitions: [{ partition: 0, offset: '5' }] })
  assert.equal((await admin.fetchTopicOffsets(topic)).find(({ partition }) => partition === 0).low, '5')
  await admin.deleteTopics({ topics: [topic] })
  assert.ok(!(await admin.listTopics()).includes(topic))
  assert.equal((await admin.describeCluster()).brokers.length, 1)
})

const adminConfigs = () => withAdmin(async (admin) => {
  const name = await newTopic()
  const type = ConfigResourceTypes.TOPIC
  await admin.alterConfigs({ resources: [{ type, name, configEntries: [{ name: 'retention.ms', value: '12345' }] }] })
  const { resources } = await admin.describeConfigs({ resources: [{ type, name, configNames: ['retention.ms'] }] })
  assert.equal(resources[0].configEntries[0].configValue, '12345')
})

const adminGroups = () => withAdmin(async (admin) => {
  const topic = await newTopic()
  const groupId = unique('group')
  await send(topic, numbered(10))
  await read(topic, 10, { groupId })
  assert.ok((await admin.listGroups()).groups.some((each) => each.groupId === groupId))
  assert.equal((await admin.describeGroups([groupId])).groups[0].state, 'Empty')
  await admin.setOffsets({ groupId, topic, partitions: [{ partition: 0, offset: '3' }] })
  assert.equal((await admin.fetchOffsets({ groupId, topics: [topic] }))[0].partitions[0].offset, '3')
  await admin.resetOffsets({ groupId, topic, earliest: true })
  await admin.deleteGroups([groupId])
  assert.ok(!(await admin.listGroups()).groups.some((each) => each.groupId === groupId))
})

const adminAcls = () => withAdmin(async (admin) => {
  const acl = {
    resourceType: AclResourceTypes.TOPIC,
    resourceName: unique('topic'),
    resourcePatternType: ResourcePatternTypes.LITERAL,
    principal: 'User:alice',
    host: '*',
    operation: AclOperationTypes.READ,
    permissionType: AclPermissionTypes.ALLOW
  }
  await admin.createAcls({ acl: [acl] })
  assert.equal((await admin.describeAcls(acl)).resources[0].acls.length, 1)
  assert.equal((await admin.deleteAcls({ filters: [acl] })).filterResponses[0].matchingAcls.length, 1)
})

await serve({
  compression_none: roundTrip(CompressionTypes.None),
  compression_gzip: roundTrip(CompressionTypes.GZIP),
  compression_snappy: roundTrip(CompressionTypes.Snappy),
  compression_zstd: roundTrip(CompressionTypes.ZSTD),
  headers_keys_timestamps: headersKeysTimestamps,
  classic_roundrobin: membersComeAndGo(PartitionAssigners.roundRobin),
  classic_own_assigner: ownAssigner,
  transactions_commit_and_abort: transactions,
  transactions_consume_transform_produce: consumeTransformProduce,
  admin_topics: adminTopics,
  admin_configs: adminConfigs,
  admin_groups: adminGroups,
  admin_acls: adminAcls
})
