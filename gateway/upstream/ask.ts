import { type ErrorCode, ParleyError } from "@parley/platform/errors.ts"

/** What a subgraph is asked. */
export interface Ask {
  query: string
  operationName?: string
  variables?: Record<string, unknown>
  /** It changes nothing: asked of two nodes it does no harm. */
  repeatable?: boolean
}

/** There will be no answer from this node. What was not sent may be asked of another, and so may what is repeatable. */
export class Unanswered extends ParleyError {
  constructor(
    message: string,
    readonly sent: boolean,
  ) {
    super("UNAVAILABLE", message)
  }
}

export interface WireError {
  message: string
  path?: (string | number)[]
  locations?: { line: number; column: number }[]
  extensions?: { code?: ErrorCode; [detail: string]: unknown }
}

/** The receiving end of a subscription on the link. */
export interface Upstreamed {
  /** Whose it is. */
  readonly user: string | undefined
  /** One result, as the JSON that it came in. */
  receive(payload: string): void
  /** The subgraph ended it, with errors or without. */
  ended(errors: readonly WireError[]): void
  /** The connection is gone, and the subscription with it. */
  lost(): void
  /** It is to end here, and to be opened anew, which takes it to another node. */
  moved(): void
}
