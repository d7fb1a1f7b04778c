import { useCallback, useEffect, useState } from 'react';

import { asApiError, type ApiError } from '../api/errors';
import type { Folders, Listing, Sort } from './folders';

/**
 * What is in a folder, as far as it has been asked for. What is asked last is what is shown: a file may
 * arrive, and a folder be opened, while the list of before is still on its way.
 *
 * @param times rises when it is to be asked again
 */
export function useListing(
  folders: Folders,
  at: string,
  sort: Sort,
  hidden: boolean,
  times: number,
): { listing: Listing | null; error: ApiError | null; more: () => void } {
  const [listing, setListing] = useState<Listing | null>(null);
  const [error, setError] = useState<ApiError | null>(null);
  useEffect(() => {
    let wanted = true;
    setError(null);
    folders.list(at, sort, hidden).then(
      (found) => wanted && setListing(found),
      (cause: unknown) => wanted && setError(asApiError(cause)),
    );
    return () => {
      wanted = false;
    };
  }, [folders, at, sort, hidden, times]);
  const here = listing?.in === at ? listing : null;
  const more = useCallback(() => {
    if (!here) {
      return;
    }
    folders.list(at, sort, hidden, here.entries.length).then(
      (next) =>
        // Unless it was listed anew meanwhile.
        setListing((now) =>
          now === here ? { ...next, entries: [...here.entries, ...next.entries] } : now,
        ),
      (cause: unknown) => setError(asApiError(cause)),
    );
  }, [folders, at, sort, hidden, here]);
  return { listing: here, error, more };
}
