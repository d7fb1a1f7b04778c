let offsetMs = 0;

/** The `Date` header has whole seconds and travels; smaller differences are not the clock's fault. */
const TOLERATED_MS = 3_000;

/** Learns how far this computer's clock is from the server's, so that "time left" is right on both. */
export function noteServerDate(header: string | null, localNow: number = Date.now()): void {
  const serverNow = header ? Date.parse(header) : NaN;
  if (!Number.isNaN(serverNow)) {
    const difference = serverNow - localNow;
    offsetMs = Math.abs(difference) > TOLERATED_MS ? difference : 0;
  }
}

/** Milliseconds since 1970 by the server's clock. */
export function serverNow(localNow: number = Date.now()): number {
  return localNow + offsetMs;
}
