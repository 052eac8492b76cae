/** What an attack is let loose on; it is handed to a process of its own, so it is plain data. */
export interface Target {
  /** Of the gateways; all on loopback. */
  urls: string[]
  /** For how long to go on, in ms. */
  lasts: number
  /** Where the embedded engines keep their files; undefined on a cluster. */
  dataDir: string | undefined
  publicUrl: string
}

/** What became of an attack, as the attacker saw it. */
export interface Outcome {
  /** How often what happened: answers by code, sockets closed by close code. */
  counts: Record<string, number>
  /** Sentences: what the attacker could do and must not. */
  broken: string[]
}

/** One way to carry out an attack. */
export interface Variant {
  name: string
  run(target: Target): Promise<Outcome>
  /** It needs so long by itself, in ms, whatever it is told. */
  needs?: number
  /** It needs the files of the embedded engines. */
  embeddedOnly?: true
  /** `./parley test` leaves it out. */
  slow?: true
}

/** A class of attacks: one row of the table in docs/security.md. */
export interface Attack {
  name: string
  /** Who carries it out, as docs/security.md has them. */
  by: "stranger" | "member" | "thief"
  /** With what. */
  with: string
  /** What the system does about it. */
  expected: string
  /** Hashing passwords is what is flooded: others may wait for theirs a second. */
  hashing?: true
  variants: Variant[]
}
