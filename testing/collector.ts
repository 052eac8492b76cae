export interface CollectedSpan {
  service: string
  traceId: string
  spanId: string
  parentSpanId: string | undefined
  name: string
  attributes: Record<string, unknown>
  /** 2 is an error. */
  status: number
  /** In ns since the epoch. */
  began: bigint
  ended: bigint
}

interface Value {
  stringValue?: string
  intValue?: number
}

interface Attribute {
  key: string
  value: Value
}

interface Otlp {
  resourceSpans: {
    resource: { attributes: Attribute[] }
    scopeSpans: { spans: OtlpSpan[] }[]
  }[]
}

interface OtlpSpan extends Pick<CollectedSpan, "traceId" | "spanId" | "name"> {
  parentSpanId?: string
  attributes: Attribute[]
  status: { code: number }
  startTimeUnixNano: string
  endTimeUnixNano: string
}

/** An OpenTelemetry collector that keeps what it is sent. */
export function startCollector() {
  const spans: CollectedSpan[] = []
  const knobs = { status: 200, requests: 0 }
  const server = Bun.serve({
    port: 0,
    hostname: "127.0.0.1",
    async fetch(request) {
      knobs.requests++
      if (knobs.status !== 200) return new Response("not now", { status: knobs.status })
      if (new URL(request.url).pathname !== "/v1/traces") return new Response("", { status: 404 })
      const { resourceSpans } = (await request.json()) as Otlp
      for (const { resource, scopeSpans } of resourceSpans) {
        const service = String(recordOf(resource.attributes)["service.name"])
        const sent = scopeSpans.flatMap(({ spans }) => spans)
        spans.push(...sent.map((span) => collected(service, span)))
      }
      return Response.json({})
    },
  })
  return {
    url: `http://127.0.0.1:${server.port}`,
    spans,
    knobs,
    [Symbol.dispose]: () => void server.stop(true),
  }
}

function collected(service: string, span: OtlpSpan): CollectedSpan {
  const { traceId, spanId, parentSpanId, name, attributes, status } = span
  return {
    ...{ service, traceId, spanId, parentSpanId, name },
    attributes: recordOf(attributes),
    status: status.code,
    began: BigInt(span.startTimeUnixNano),
    ended: BigInt(span.endTimeUnixNano),
  }
}

const recordOf = (attributes: Attribute[]) =>
  Object.fromEntries(
    attributes.map(({ key, value }) => [key, value.stringValue ?? Number(value.intValue)]),
  )
