/** What only goes up. */
export interface Counter {
  inc(by?: number): void
}

/** How values are spread. */
export interface Histogram {
  observe(value: number): void
}

/** Instruments of one name, told apart by the values of their labels. */
export interface Labelled<Instrument> {
  /**
   * The one with these values, in the order of the labels' names. Values come from a closed list (an operation of a
   * port, a code), never from users: what is beyond MAX_SERIES is counted together, as `other`.
   */
  of(...values: string[]): Instrument
}

/** A present value, or one for each value of a label. */
export type Reading = number | Record<string, number>

/** The metrics of one process. Counting costs as much as adding to a number; all else is done when Prometheus reads. */
export interface Metrics {
  counter(name: string, help: string): Counter
  counters(name: string, help: string, labels: readonly string[]): Labelled<Counter>
  /** `buckets`: the upper bounds, ascending; values above all of them are counted too. */
  histogram(name: string, help: string, buckets: readonly number[]): Histogram
  histograms(
    name: string,
    help: string,
    buckets: readonly number[],
    labels: readonly string[],
  ): Labelled<Histogram>
  /** Calls `read` each time Prometheus asks; `label` is the label whose values are a record's keys. */
  gauge(name: string, help: string, read: () => Reading, label?: string): void
  /** The same for a value that only goes up and is counted elsewhere. */
  total(name: string, help: string, read: () => Reading, label?: string): void
  names(): string[]
  /** All of it, in Prometheus' text format 0.0.4. */
  text(): string
}

/** From 0.1 ms, an embedded read, to 10 s, the end of a client's patience; in seconds. */
export const LATENCY = [
  0.0001, 0.00025, 0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10,
] as const

/** Of one name. */
const MAX_SERIES = 200

interface Family {
  name: string
  help: string
  type: "counter" | "gauge" | "histogram"
  lines(): string[]
}

export function createMetrics(): Metrics {
  const families = new Map<string, Family>()

  function add(family: Family): void {
    if (!/^[a-z][a-z0-9_]*$/.test(family.name) || families.has(family.name)) {
      throw new Error(`${family.name} is no name for a metric, or is taken.`)
    }
    families.set(family.name, family)
  }

  function labelled<I extends { lines(labels: string): string[] }>(
    family: Omit<Family, "lines">,
    labels: readonly string[],
    make: () => I,
  ): Labelled<I> {
    const series = new Map<string, I>()
    add({ ...family, lines: () => [...series].flatMap(([key, one]) => one.lines(key)) })
    const get = (key: string) => {
      let one = series.get(key)
      if (!one) {
        one = make()
        series.set(key, one)
      }
      return one
    }
    const known = new Map<string, I>()
    return {
      of(...values) {
        const key = values.join("\0")
        let one = known.get(key)
        if (!one) {
          const full = series.size >= MAX_SERIES
          one = get(labels.map((name, i) => pair(name, full ? "other" : values[i]!)).join(","))
          if (!full) known.set(key, one)
        }
        return one
      },
    }
  }

  function reading(family: Omit<Family, "lines">, read: () => Reading, label = "kind"): void {
    add({
      ...family,
      lines() {
        const value = read()
        if (typeof value === "number") return [line(family.name, "", value)]
        return Object.entries(value).map(([key, one]) => line(family.name, pair(label, key), one))
      },
    })
  }

  const counters: Metrics["counters"] = (name, help, labels) =>
    labelled({ name, help, type: "counter" }, labels, () => createCounter(name))
  const histograms: Metrics["histograms"] = (name, help, buckets, labels) =>
    labelled({ name, help, type: "histogram" }, labels, () => createHistogram(name, buckets))

  return {
    counters,
    histograms,
    counter: (name, help) => counters(name, help, []).of(),
    histogram: (name, help, buckets) => histograms(name, help, buckets, []).of(),
    gauge: (name, help, read, label) => reading({ name, help, type: "gauge" }, read, label),
    total: (name, help, read, label) => reading({ name, help, type: "counter" }, read, label),
    names: () => [...families.keys()],
    text: () => [...families.values()].map(write).join(""),
  }
}

function createCounter(name: string) {
  let value = 0
  return {
    inc(by = 1) {
      value += by
    },
    lines: (labels: string) => [line(name, labels, value)],
  }
}

function createHistogram(name: string, bounds: readonly number[]) {
  const counts = new Array<number>(bounds.length + 1).fill(0)
  let sum = 0
  return {
    observe(value: number) {
      let bucket = 0
      while (bucket < bounds.length && value > bounds[bucket]!) bucket++
      counts[bucket]! += 1
      sum += value
    },
    lines(labels: string) {
      const before = labels === "" ? "" : `${labels},`
      let count = 0
      const buckets = counts.map((more, i) => {
        count += more
        return line(`${name}_bucket`, `${before}${pair("le", number(bounds[i]))}`, count)
      })
      return [...buckets, line(`${name}_sum`, labels, sum), line(`${name}_count`, labels, count)]
    },
  }
}

function write({ name, help, type, lines }: Family): string {
  const about = help.replaceAll("\\", "\\\\").replaceAll("\n", "\\n")
  return `# HELP ${name} ${about}\n# TYPE ${name} ${type}\n${lines().join("")}`
}

const line = (name: string, labels: string, value: number) =>
  `${name}${labels === "" ? "" : `{${labels}}`} ${number(value)}\n`

const number = (value = Number.POSITIVE_INFINITY) =>
  value === Number.POSITIVE_INFINITY ? "+Inf" : String(value)

const pair = (name: string, value: string) =>
  `${name}="${value.replaceAll("\\", "\\\\").replaceAll('"', '\\"').replaceAll("\n", "\\n")}"`
