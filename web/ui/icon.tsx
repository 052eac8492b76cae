const PATHS = {
  plus: "M12 5v14M5 12h14",
  back: "M15 5l-7 7 7 7",
  close: "M6 6l12 12M18 6L6 18",
  send: "M5 12h13M12 5l7 7-7 7",
  search: "M11 18a7 7 0 1 0 0-14 7 7 0 0 0 0 14ZM20 20l-4-4",
  group:
    "M9 11a3.5 3.5 0 1 0 0-7 3.5 3.5 0 0 0 0 7ZM2.5 20c0-3.5 2.9-6 6.5-6s6.5 2.5 6.5 6M16 4.500a3.3 3.3 0 0 1 0 6.200M18 14.500c2.2.8 3.5 2.8 3.5 5.5",
  leave:
    "M14 4H6a1.5 1.5 0 0 0-1.5 1.500v13A1.5 1.5 0 0 0 6 20h8M10 12h10M16.5 8.500L20 12l-3.5 3.5",
  down: "M6 9.500l6 6 6-6",
  info: "M12 21a9 9 0 1 0 0-18 9 9 0 0 0 0 18ZM12 11v5M12 7.800v.2",
  check: "M5 12.500l4.5 4.500L19 7.5",
} as const

export type IconName = keyof typeof PATHS

/** Always beside, or inside of something with, a name of its own: to assistive technology it is not there. */
export function Icon({ name, size = 22 }: { name: IconName; size?: number }) {
  return (
    <svg
      width={size}
      height={size}
      viewBox="0 0 24 24"
      fill="none"
      stroke="currentColor"
      strokeWidth="1.8"
      strokeLinecap="round"
      strokeLinejoin="round"
      aria-hidden="true"
    >
      <path d={PATHS[name]} />
    </svg>
  )
}
