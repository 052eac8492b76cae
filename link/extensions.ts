import { badInput } from "@parley/platform/errors.ts"
import * as v from "valibot"
import { LinkExtensions } from "./protocol.ts"

/** @throws ParleyError BAD_INPUT where the extensions of a frame break their schema. */
export function readExtensions(given: unknown): LinkExtensions {
  const extensions = v.safeParse(LinkExtensions, given ?? {})
  if (!extensions.success) throw badInput("extensions", extensions.issues[0].message)
  return extensions.output
}

/** Reads the extensions of a frame from the headers of a plain HTTP request. */
export function extensionsOf(request: Request): LinkExtensions {
  const authorization = request.headers.get("authorization") ?? ""
  const cookies = Object.fromEntries(new Bun.CookieMap(request.headers.get("cookie") ?? ""))
  return {
    token: /^Bearer (\S+)$/i.exec(authorization)?.[1],
    refreshToken: cookies["__Host-parley_refresh"] ?? cookies.parley_refresh,
    device: cookies["__Host-parley_device"] ?? cookies.parley_device,
    userAgent: request.headers.get("user-agent") ?? "",
    address: request.headers.get("x-forwarded-for") ?? "",
    requestId: request.headers.get("x-request-id") ?? "",
    traceparent: request.headers.get("traceparent") ?? undefined,
  }
}
