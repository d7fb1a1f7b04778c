import { useCallback, useEffect, useMemo, useState, useSyncExternalStore } from 'react';

import { asApiError, type ApiError } from '../api/errors';
import { readText, writeStored } from '../parts/storage';
import { dropped } from './dropped';
import { Folders } from './folders';
import { Uploads, type Transfer } from './uploads';

const FOLDER = 'moonlight:files';

export interface Transfers {
  folders: Folders;
  uploads: Uploads;
  list: readonly Transfer[];
  /** Where files go; null: where they usually do. */
  folder: string | null;
  choose: (at: string) => void;
  drop: (data: DataTransfer) => void;
  /** Why what was dropped last is not on its way. */
  error: ApiError | null;
}

/** The files of one desktop, for as long as its page is open. */
export function useTransfers(streamUrl: string): Transfers {
  const folders = useMemo(() => new Folders(streamUrl), [streamUrl]);
  const uploads = useMemo(() => new Uploads(folders.root), [folders]);
  const list = useSyncExternalStore(uploads.subscribe, uploads.getState);
  const [folder, setFolder] = useState(() => readText(FOLDER));
  const [error, setError] = useState<ApiError | null>(null);
  const choose = useCallback((at: string) => {
    writeStored(FOLDER, at);
    setFolder(at);
  }, []);
  const drop = useCallback(
    (data: DataTransfer) => {
      setError(null);
      const found = dropped(data);
      const where = folder === null ? folders.places().then(({ usual }) => usual) : folder;
      Promise.all([found, where])
        .then(async ([{ sendings, empty }, at]) => {
          uploads.add(at, sendings);
          for (const path of empty) {
            await folders.make(at, path);
          }
        })
        .catch((cause: unknown) => setError(asApiError(cause)));
    },
    [folder, folders, uploads],
  );
  useEffect(() => uploads.leave, [uploads]);
  const under = list.some(({ state }) => ['waiting', 'going', 'retrying'].includes(state));
  useEffect(() => {
    if (!under) {
      return;
    }
    const ask = (event: BeforeUnloadEvent): void => event.preventDefault();
    window.addEventListener('beforeunload', ask);
    return () => window.removeEventListener('beforeunload', ask);
  }, [under]);
  return { folders, uploads, list, folder, choose, drop, error };
}
