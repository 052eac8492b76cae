import { readWebConfig, type WebConfig } from "../config.ts"

let config: WebConfig | undefined

/** The app's settings, inside of Next: its bundle shares no module with main.ts, which has checked them at start. */
export function webConfig(): WebConfig {
  config ??= readWebConfig(process.env)
  return config
}
