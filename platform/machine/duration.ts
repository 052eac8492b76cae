/** A duration in ms, as a person reads it. */
export const seconds = (ms: number): string => `${(ms / 1000).toFixed(1)} s`
