/** "512 B", "64 kB", "1.2 MB". */
export function formatBytes(bytes: number): string {
  if (bytes < 1_000) {
    return `${bytes} B`;
  }
  if (bytes < 1_000_000) {
    return `${Math.round(bytes / 1_000)} kB`;
  }
  return `${(bytes / 1_000_000).toFixed(1)} MB`;
}
