// Checks of @platformatic/kafka. The only argument is the broker's address.
import assert from 'node:assert/strict'
import { Admin, Consumer, Producer, stringDeserializers, stringSerializers } from '@platformatic/kafka'
import { eventually, numbered, serve, unique } from './checks.mjs'

const base = { clientId: 'conformance', bootstrapBrokers: [process.argv[2]], retries: 5 }

async function closing (client, action) {
  try {
    return await action(client)
  } finally {
    await client.close()
  }
}

const withAdmin = (action) => closing(new Admin(base), action)
const producing = (action, settings = {}) => closing(new Producer({ ...base, serializers: stringSerializers, ...settings }), action)

async function newTopic (partitions = 1) {
  const topic = unique('platformatic')
  await withAdmin((admin) => admin.createTopics({ topics: [topic], partitions, replicas: 1 }))
  return topic
}

const send = (topic, messages, settings) => producing((producer) => {
  return producer.send({ messages: messages.map((each) => ({ topic, ...each })), acks: -1, ...settings })
})

// Reads so many messages in a group of its own.
async function read (topic, count, settings = {}) {
  const consumer = new Consumer({ ...base, groupId: unique('group'), deserializers: stringDeserializers, maxWaitTime: 100, ...settings })
  return closing(consumer, async () => {
    const stream = await consumer.consume({ topics: [topic], mode: 'earliest', isolationLevel: 1 })
    const messages = []
    for await (const message of stream) {
      messages.push(message)
      if (messages.length === count) break
    }
    return messages
  })
}

const roundTrip = (compression) => async () => {
  const topic = await newTopic()
  await send(topic, numbered(1_000), { compression })
  const messages = await read(topic, 1_000)
  assert.equal(messages[999].value, 'value 999')
}

async function headersKeysTimestamps () {
  const topic = await newTopic()
  const headers = new Map([['a', '1'], ['b', '']])
  await send(topic, [{ key: '키', value: '값', headers, timestamp: 1234567890123n }])
  const [message] = await read(topic, 1)
  assert.equal(message.key, '키')
  assert.equal(message.value, '값')
  assert.equal(message.timestamp, 1234567890123n)
  assert.deepEqual([...message.headers], [...headers])
}

async function idempotentOrder () {
  const topic = await newTopic()
  await producing(async (producer) => {
    for (const each of numbered(50)) {
      await producer.send({ messages: [{ topic, ...each }], acks: -1, idempotent: true })
    }
  }, { idempotent: true })
  assert.deepEqual((await read(topic, 50)).map(({ value }) => value), numbered(50).map(({ value }) => value))
}

const membersComeAndGo = (settings) => async () => {
  const topic = await newTopic(4)
  const groupId = unique('group')
  const values = new Set()
  const share = (consumer) => consumer.assignments?.reduce((sum, each) => sum + each.partitions.length, 0) ?? 0
  const join = async () => {
    const consumer = new Consumer({
      ...base, groupId, deserializers: stringDeserializers, maxWaitTime: 100, heartbeatInterval: 300, autocommit: 100, ...settings
    })
    const stream = await consumer.consume({ topics: [topic], mode: 'committed', fallbackMode: 'earliest' })
    stream.on('data', ({ value }) => values.add(value))
    stream.on('error', () => {})
    return consumer
  }
  const shared = (expected, ...members) => eventually(`shares of ${expected}`, () => {
    return members.map(share).sort().join() === expected.join()
  })
  await send(topic, numbered(400))
  const first = await join()
  await shared([4], first)
  const second = await join()
  await shared([2, 2], first, second)
  await second.close(true)
  await shared([4], first)
  await eventually('every message', () => values.size === 400)
  await first.close(true)
}

async function transactions () {
  const topic = await newTopic()
  await producing(async (producer) => {
    // One abort only: the client keeps one aborted range a producer and fetch.
    for (let round = 0; round < 3; round++) {
      const transaction = await producer.beginTransaction()
      await transaction.send({ messages: numbered(10).map(({ key }) => ({ topic, key, value: String(round) })) })
      await (round % 2 ? transaction.abort() : transaction.commit())
    }
  }, { transactionalId: unique('tx'), idempotent: true })
  await send(topic, [{ value: '0' }])
  const messages = await read(topic, 21)
  assert.ok(messages.every(({ value }) => Number(value) % 2 === 0))
}

const adminTopics = () => withAdmin(async (admin) => {
  const topic = await newTopic(2)
  await admin.createPartitions({ topics: [{ name: topic, count: 4, assignments: null }] })
  await send(topic, [{ value: 'a', partition: 0 }, { value: 'b', partition: 0 }])
  const partitions = [{ partitionIndex: 0, timestamp: -1n }]
  const [listed] = await admin.listOffsets({ topics: [{ name: topic, partitions }] })
  assert.equal(listed.partitions[0].offset, 2n)
  const [deleted] = await admin.deleteRecords({ topics: [{ name: topic, partitions: [{ partition: 0, offset: 1n }] }] })
  assert.equal(deleted.partitions[0].lowWatermark, 1n)
  await admin.deleteTopics({ topics: [topic] })
  assert.ok(!(await admin.listTopics()).includes(topic))
})

const adminConfigs = () => withAdmin(async (admin) => {
  const resourceName = await newTopic()
  const resourceType = 2
  const change = { resourceType, resourceName, configs: [{ name: 'retention.ms', configOperation: 0, value: '12345' }] }
  await admin.incrementalAlterConfigs({ resources: [change] })
  const [described] = await admin.describeConfigs({ resources: [{ resourceType, resourceName, configurationKeys: ['retention.ms'] }] })
  assert.equal(described.configs[0].value, '12345')
})

const adminGroups = () => withAdmin(async (admin) => {
  const topic = await newTopic()
  const groupId = unique('group')
  await admin.alterConsumerGroupOffsets({ groupId, topics: [{ name: topic, partitionOffsets: [{ partition: 0, offset: 3n }] }] })
  const [listed] = await admin.listConsumerGroupOffsets({ groups: [groupId] })
  assert.equal(listed.topics[0].partitions[0].committedOffset, 3n)
  assert.ok((await admin.listGroups()).has(groupId))
  assert.equal((await admin.describeGroups({ groups: [groupId] })).get(groupId).state, 'Empty')
  await admin.deleteConsumerGroupOffsets({ groupId, topics: [{ name: topic, partitionIndexes: [0] }] })
  await admin.alterConsumerGroupOffsets({ groupId, topics: [{ name: topic, partitionOffsets: [{ partition: 0, offset: 3n }] }] })
  await admin.deleteGroups({ groups: [groupId] })
  assert.ok(!(await admin.listGroups()).has(groupId))
})

const adminAcls = () => withAdmin(async (admin) => {
  const acl = {
    resourceType: 2, resourceName: unique('topic'), resourcePatternType: 3,
    principal: 'User:alice', host: '*', operation: 3, permissionType: 3
  }
  const filter = { ...acl }
  await admin.createAcls({ creations: [acl] })
  assert.equal((await admin.describeAcls({ filter })).length, 1)
  assert.equal((await admin.deleteAcls({ filters: [filter] })).length, 1)
})

const adminLogDirs = () => withAdmin(async (admin) => {
  const topic = await newTopic()
  await send(topic, numbered(10))
  const [described] = await admin.describeLogDirs({ topics: [{ name: topic, partitions: [0] }] })
  assert.ok(described.results[0].topics[0].partitions[0].partitionSize > 0n)
})

const adminQuotas = () => withAdmin(async (admin) => {
  const entities = [{ entityType: 'client-id', entityName: unique('slow') }]
  await admin.alterClientQuotas({ entries: [{ entities, ops: [{ key: 'producer_byte_rate', value: 1e6, remove: false }] }] })
  const components = [{ entityType: 'client-id', matchType: 0, match: entities[0].entityName }]
  const [described] = await admin.describeClientQuotas({ components })
  assert.equal(described.values[0].value, 1e6)
})

await serve({
  compression_none: roundTrip('none'),
  compression_gzip: roundTrip('gzip'),
  compression_snappy: roundTrip('snappy'),
  compression_lz4: roundTrip('lz4'),
  compression_zstd: roundTrip('zstd'),
  headers_keys_timestamps: headersKeysTimestamps,
  idempotent_order: idempotentOrder,
  classic_group: membersComeAndGo({}),
  consumer_protocol: membersComeAndGo({ groupProtocol: 'consumer' }),
  transactions_commit_and_abort: transactions,
  admin_topics: adminTopics,
  admin_configs: adminConfigs,
  admin_groups: adminGroups,
  admin_acls: adminAcls,
  admin_log_dirs: adminLogDirs,
  admin_quotas: adminQuotas
})
