import { ConfigError } from "../config.ts"

const LOOPBACK = "127.0.0.1"

/** Blocks start at multiples of this, so that two never overlap. */
const BLOCK = 16
/** Above what well-known services use. */
const FIRST = 20_000
/** From here on the system hands out ports to outgoing connections: a service could find its own taken. */
const BEYOND = 32_768

/**
 * Finds `count` (up to 15) free loopback ports. This process holds the first port of their block for as long as it lives, so
 * no other launcher takes the same block before services listen on the ports themselves.
 */
export function claimPorts(count: number): number[] {
  const blocks = Math.floor((BEYOND - FIRST) / BLOCK)
  const start = Math.floor(Math.random() * blocks)
  for (let tried = 0; tried < blocks; tried += 1) {
    const guard = FIRST + ((start + tried) % blocks) * BLOCK
    const ports = Array.from({ length: count }, (_, index) => guard + 1 + index)
    const held = listen(LOOPBACK, guard)
    if (!held) continue
    if (ports.every((port) => isFree(port))) {
      // The guard does not keep the process alive.
      held.unref()
      return ports
    }
    held.stop(true)
  }
  throw new Error(`no ${count} neighbouring ports are free between ${FIRST} and ${BEYOND}`)
}

function isFree(port: number): boolean {
  const listener = listen(LOOPBACK, port)
  listener?.stop(true)
  return listener !== undefined
}

/** @throws ConfigError where the port cannot be had now; its message says what to do. */
export function checkPort(host: string, port: number): void {
  try {
    open(host, port).stop(true)
  } catch (error) {
    throw new ConfigError(whyNot(host, port, (error as NodeJS.ErrnoException).code))
  }
}

function whyNot(host: string, port: number, code: string | undefined): string {
  if (code === "EADDRINUSE") {
    return `Port ${port} is in use: stop what listens there, or choose another one, as in PORT=${port + 1} ./parley start`
  }
  if (code === "EACCES") {
    return `PORT ${port} may not be opened by this user: choose one above 1023, such as PORT=4000.`
  }
  return `Nobody can listen on HOST ${host}, PORT ${port} (${code}): set HOST to an address of this machine, or leave it unset.`
}

function listen(host: string, port: number): ReturnType<typeof open> | undefined {
  try {
    return open(host, port)
  } catch {
    return undefined
  }
}

const open = (hostname: string, port: number) =>
  Bun.listen<undefined>({
    hostname,
    port,
    socket: {
      open(socket) {
        socket.end()
      },
      data() {},
    },
  })
