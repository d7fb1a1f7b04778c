/** One file on its way to the desktop. */
export interface Transfer {
  name: string;
  /** In bytes; null where it is not known. */
  size: number | null;
  /** From 0 to 100. */
  percent: number;
  state: 'going' | 'done' | 'failed';
}

/** What the host's client says of an upload. */
export interface Told {
  status?: unknown;
  fileName?: unknown;
  fileSize?: unknown;
  progress?: unknown;
}

/** The list after that word: one line a file, the newest first. */
export function afterWord(transfers: readonly Transfer[], told: Told): Transfer[] {
  const { status, fileName: name, fileSize, progress } = told;
  if (typeof name !== 'string' || typeof status !== 'string') {
    return [...transfers];
  }
  const size = typeof fileSize === 'number' ? fileSize : null;
  if (status === 'start') {
    return [{ name, size, percent: 0, state: 'going' }, ...transfers];
  }
  const at = transfers.findIndex((one) => one.name === name && one.state === 'going');
  const before = transfers[at];
  if (!before) {
    return [...transfers];
  }
  const after: Record<string, Partial<Transfer>> = {
    progress: { percent: typeof progress === 'number' ? progress : before.percent },
    end: { percent: 100, state: 'done' },
    error: { state: 'failed' },
  };
  return transfers.map((one, i) => (i === at ? { ...one, ...after[status] } : one));
}

/** A file or folder of the desktop that can be fetched. */
export interface Entry {
  name: string;
  /** Relative to the folder that it is in, percent-encoded. */
  href: string;
  folder: boolean;
  /** In bytes, as exactly as the host says it; null for a folder, and where it says none. */
  size: number | null;
}

/** The entries of the host's own page about a folder; the way up is not one of them. */
export function entriesOf(page: Document): Entry[] {
  return [...page.querySelectorAll('table tr')].flatMap((row) => {
    const link = row.querySelector('a[href]');
    const href = link?.getAttribute('href') ?? '';
    const shown = link?.textContent?.trim() ?? '';
    if (!href || href === '../' || /^[./?#]|\/\/|:/.test(href)) {
      return [];
    }
    const folder = href.endsWith('/');
    const size = folder ? null : bytesOf(row.querySelector('td:last-child')?.textContent ?? '');
    return [{ name: shown.replace(/\/$/, ''), href, folder, size }];
  });
}

/** Of "12.3 KB"; nothing of less than a tenth of that, which it calls "0.0 KB". */
export function bytesOf(words: string): number | null {
  const kilobytes = /^\s*([0-9.]+) KB\s*$/.exec(words)?.[1];
  return Math.round(Number(kilobytes ?? 0) * 1_024) || null;
}
