import type { Sending } from './uploads';

/** What was dropped: files, and folders that are to be there although nothing is in them. */
export interface Dropped {
  sendings: Sending[];
  empty: string[];
}

export const hasFiles = (data: DataTransfer | null): boolean =>
  [...(data?.types ?? [])].includes('Files');

/**
 * Files with the folders that they lie in. To be called while the drop is handled: after that a browser
 * does not tell its entries any more.
 */
export async function dropped(data: DataTransfer): Promise<Dropped> {
  const entries = [...data.items].map((item) => item.webkitGetAsEntry?.() ?? null);
  const plain = [...data.files];
  const found: Dropped = { sendings: [], empty: [] };
  if (entries.every((entry) => entry === null)) {
    found.sendings = plain.map((file) => ({ file, path: file.name }));
    return found;
  }
  for (const entry of entries) {
    if (entry) {
      await collect(entry, '', found);
    }
  }
  return found;
}

async function collect(entry: FileSystemEntry, below: string, found: Dropped): Promise<void> {
  const path = below + entry.name;
  if (entry.isFile) {
    const file = await new Promise<File>((resolve, reject) =>
      (entry as FileSystemFileEntry).file(resolve, reject),
    );
    found.sendings.push({ file, path });
    return;
  }
  const reader = (entry as FileSystemDirectoryEntry).createReader();
  let any = false;
  for (;;) {
    // A hundred at a time, in Chromium.
    const some = await new Promise<FileSystemEntry[]>((resolve, reject) =>
      reader.readEntries(resolve, reject),
    );
    if (some.length === 0) {
      break;
    }
    any = true;
    for (const one of some) {
      await collect(one, `${path}/`, found);
    }
  }
  if (!any) {
    found.empty.push(path);
  }
}

/** What was chosen, a folder included. */
export const chosen = (files: readonly File[]): Sending[] =>
  files.map((file) => ({ file, path: file.webkitRelativePath || file.name }));
