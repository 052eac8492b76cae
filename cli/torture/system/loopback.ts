/** The only address that anything here listens on or talks to. */
export const LOOPBACK = "127.0.0.1"

export const httpUrl = (port: number) => `http://${LOOPBACK}:${port}`
