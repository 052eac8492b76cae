export interface BrokerProperties {
  /** From 1 to the number of brokers. */
  id: number
  port: number
  /** Where clients are told to find it; its own port unless given. */
  advertisedPort?: number
  /** Of all brokers, in the order of their ids. */
  controllerPorts: number[]
  dataDir: string
}

/** A broker's `server.properties`: broker and controller in one, on the loopback interface alone. */
export function brokerProperties(broker: BrokerProperties): string {
  const { id, port, advertisedPort = port, controllerPorts, dataDir } = broker
  const copies = controllerPorts.length
  const needed = Math.ceil(copies / 2)
  const voters = controllerPorts.map((controller, index) => `${index + 1}@127.0.0.1:${controller}`)
  const settings = {
    "process.roles": "broker,controller",
    "node.id": id,
    listeners: `PLAINTEXT://127.0.0.1:${port},CONTROLLER://127.0.0.1:${controllerPorts[id - 1]}`,
    "advertised.listeners": `PLAINTEXT://127.0.0.1:${advertisedPort}`,
    "listener.security.protocol.map": "PLAINTEXT:PLAINTEXT,CONTROLLER:PLAINTEXT",
    "inter.broker.listener.name": "PLAINTEXT",
    "controller.listener.names": "CONTROLLER",
    "controller.quorum.voters": voters.join(","),
    "log.dirs": dataDir,

    "default.replication.factor": copies,
    "min.insync.replicas": needed,
    "offsets.topic.replication.factor": copies,
    "offsets.topic.num.partitions": 1,
    "transaction.state.log.replication.factor": copies,
    "transaction.state.log.min.isr": needed,
    "share.coordinator.state.topic.replication.factor": copies,
    "share.coordinator.state.topic.min.isr": needed,
    "auto.create.topics.enable": false,

    // A consumer that joins is not made to wait for others that might.
    "group.initial.rebalance.delay.ms": 0,
    // A killed broker may come back as soon as its old session has ended: 2.6 s instead of 11.
    "broker.session.timeout.ms": 1500,
    "broker.heartbeat.interval.ms": 300,
    // The first index entries else cost a stall of some 100 ms soon after the start.
    "log.index.interval.bytes": 1_048_576,
    // Else the cleaner of compacted topics takes half the heap, at once.
    "log.cleaner.dedupe.buffer.size": 4_194_304,
  }
  return Object.entries(settings)
    .map(([name, value]) => `${name}=${value}\n`)
    .join("")
}
