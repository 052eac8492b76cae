import type { Socket } from "bun"

/** A way to a MongoDB on which answers get lost. */
export interface LossyProxy extends Disposable {
  /** The server's URL, by this way. */
  url: string
  /**
   * Lets the next command of that name through, and cuts the connection in the place of its answer.
   * @param first done between the two.
   */
  loseAnswer(command: string, first?: () => Promise<unknown>): void
  /** How many answers got lost. */
  readonly lost: number
}

interface End {
  other: Socket<End> | undefined
  waiting: Uint8Array[]
  /** What was done first, where the answer to come is to get lost. */
  doom?: Promise<unknown>
}

export function startLossyProxy(serverUrl: string): LossyProxy {
  const [, before, port, after] = /^(mongodb:\/\/127\.0\.0\.1:)(\d+)(.*)$/.exec(serverUrl)!
  let doomed: { name: Buffer; first: () => Promise<unknown> } | undefined
  let lost = 0

  const server = Bun.listen<End>({
    hostname: "127.0.0.1",
    port: 0,
    socket: {
      async open(client) {
        client.data = { other: undefined, waiting: [] }
        const onward = await Bun.connect<End>({
          hostname: "127.0.0.1",
          port: Number(port),
          socket: {
            async data(server, answer) {
              const { doom } = client.data
              if (!doom) {
                server.data.other?.write(answer)
                return
              }
              await doom
              lost += 1
              client.terminate()
              server.terminate()
            },
            close(server) {
              server.data.other?.end()
            },
          },
          data: { other: client, waiting: [] },
        }).catch(() => undefined)
        if (!onward) return void client.end()
        client.data.other = onward
        for (const chunk of client.data.waiting) onward.write(chunk)
      },
      data(client, command) {
        if (doomed && command.includes(doomed.name)) {
          client.data.doom = doomed.first()
          doomed = undefined
        }
        if (client.data.other) client.data.other.write(command)
        else client.data.waiting.push(Buffer.from(command))
      },
      close(client) {
        client.data.other?.end()
      },
    },
  })
  return {
    url: `${before}${server.port}${after}`,
    loseAnswer(command, first = async () => {}) {
      // The name is the first key of the document that the command is.
      doomed = { name: Buffer.from(`\x02${command}\0`), first }
    },
    get lost() {
      return lost
    },
    [Symbol.dispose]: () => server.stop(true),
  }
}
