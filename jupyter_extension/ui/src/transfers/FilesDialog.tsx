import { useEffect, useReducer, useState } from 'react';

import { asApiError, type ApiError } from '../api/errors';
import type { Session } from '../api/types';
import { fileWaysOf } from '../clipboard/clipboard';
import { useSpeech } from '../i18n/Language';
import { Dialog } from '../parts/Dialog';
import { Problem } from '../parts/Problem';
import type { Folders, Places } from './folders';
import { FolderView } from './FolderView';
import { SendButtons } from './SendButtons';
import { TransferList } from './TransferList';
import type { Transfers } from './useTransfers';

interface Props {
  session: Session;
  transfers: Transfers;
  onClose: () => void;
}

/** Files between this computer and the user's folders, in the directions that the site allows. */
export function FilesDialog({ session, transfers, onClose }: Props) {
  const { t } = useSpeech();
  const words = t.transfers;
  const ways = fileWaysOf(session);
  const { folders, uploads, list, folder, choose } = transfers;
  const { places, error, again } = usePlaces(folders);
  const here = folder ?? places?.usual ?? null;
  const came = list.filter(({ state }) => state === 'done').length;
  return (
    <Dialog title={words.title} wide onClose={onClose}>
      {error && (isOlder(error) ? <p>{words.older}</p> : <Problem error={error} retry={again} />)}
      {places && here && (
        <FolderView
          folders={folders}
          places={places.places}
          at={here}
          usual={places.usual}
          fetches={ways.fromDesktop}
          came={came}
          onChoose={choose}
        >
          {ways.toDesktop && <SendButtons transfers={transfers} at={here} />}
        </FolderView>
      )}
      {!ways.toDesktop && <p className="quiet">{words.noUpload}</p>}
      {!ways.fromDesktop && <p className="quiet">{words.noDownload}</p>}
      {list.length > 0 && <TransferList list={list} uploads={uploads} />}
      {came > 0 && (
        <div className="files-actions">
          <button type="button" className="button button-small" onClick={uploads.clear}>
            {words.clear}
          </button>
        </div>
      )}
    </Dialog>
  );
}

function usePlaces(folders: Folders): {
  places: Places | null;
  error: ApiError | null;
  again: () => void;
} {
  const [places, setPlaces] = useState<Places | null>(null);
  const [error, setError] = useState<ApiError | null>(null);
  const [asked, again] = useReducer((times: number) => times + 1, 0);
  useEffect(() => {
    let wanted = true;
    setError(null);
    folders.places().then(
      (found) => wanted && setPlaces(found),
      (cause: unknown) => wanted && setError(asApiError(cause)),
    );
    return () => {
      wanted = false;
    };
  }, [folders, asked]);
  return { places, error, again };
}

/** A desktop that runs since before an update knows nothing of this. */
const isOlder = ({ status, code }: ApiError): boolean =>
  status === 404 && !['not_found', 'unknown'].includes(code);
