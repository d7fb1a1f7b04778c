/**
 * localStorage that may be full, forbidden or hold something else: then nothing is remembered. Pages of
 * others may be of the same origin, so whoever reads looks at what it is.
 */
export function readStored(key: string): unknown {
  try {
    const text = localStorage.getItem(key);
    return text === null ? null : (JSON.parse(text) as unknown);
  } catch {
    return null;
  }
}

export function readText(key: string): string | null {
  const stored = readStored(key);
  return typeof stored === 'string' ? stored : null;
}

export function writeStored(key: string, value: unknown): void {
  try {
    localStorage.setItem(key, JSON.stringify(value));
  } catch {
    return;
  }
}
