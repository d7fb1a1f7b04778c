import { useEffect, useReducer, useState } from 'react';

import { ApiError, asApiError } from '../../api/errors';
import type { Session } from '../../api/types';
import { fileWaysOf } from '../../clipboard/clipboard';
import { useSpeech } from '../../i18n/Language';
import { Dialog } from '../../parts/Dialog';
import { Icon } from '../../parts/Icon';
import { Problem } from '../../parts/Problem';
import { formatBytes } from '../../sessions/formatBytes';
import { entriesOf, type Entry, type Transfer } from '../host/files';
import type { SelkiesHost } from '../host/selkies';
import { TransferList } from './TransferList';

interface Props {
  session: Session;
  streamUrl: string;
  host: SelkiesHost;
  transfers: readonly Transfer[];
  onClose: () => void;
}

/** Files between this computer and the desktop, in the directions that the site allows. */
export function FilesDialog({ session, streamUrl, host, transfers, onClose }: Props) {
  const { t } = useSpeech();
  const words = t.tools;
  const ways = fileWaysOf(session);
  return (
    <Dialog title={words.files} onClose={onClose}>
      {ways.toDesktop ? (
        <>
          <button
            type="button"
            className="button"
            data-testid="upload"
            onClick={() => host.upload()}
          >
            <Icon name="up" size={16} />
            {words.upload}
          </button>
          <p className="quiet">{words.uploadHint}</p>
          {transfers.length > 0 && <TransferList transfers={transfers} />}
        </>
      ) : (
        <p className="quiet">{words.noUpload}</p>
      )}
      {ways.fromDesktop ? (
        <Fetchable root={`${streamUrl}api/files/`} done={countDone(transfers)} />
      ) : (
        <p className="quiet">{words.noDownload}</p>
      )}
    </Dialog>
  );
}

const countDone = (transfers: readonly Transfer[]): number =>
  transfers.filter(({ state }) => state === 'done').length;

/** The folder that files come to, and those in it; listed anew when one has arrived. */
function Fetchable({ root, done }: { root: string; done: number }) {
  const { t } = useSpeech();
  const words = t.tools;
  const [folders, setFolders] = useState<readonly Entry[]>([]);
  const [listed, setListed] = useState<{ folder: string; entries: Entry[] } | null>(null);
  const [error, setError] = useState<ApiError | null>(null);
  const [asked, again] = useReducer((times: number) => times + 1, 0);
  const here = root + folders.map(({ href }) => href).join('');

  // What is asked last is what is shown: a file may arrive, and a folder be opened, while the list
  // of before is still on its way.
  useEffect(() => {
    let wanted = true;
    setError(null);
    read(here).then(
      (entries) => wanted && setListed({ folder: here, entries }),
      (cause: unknown) => wanted && setError(asApiError(cause)),
    );
    return () => {
      wanted = false;
    };
  }, [here, done, asked]);
  const entries = listed?.folder === here ? listed.entries : null;

  return (
    <section className="fetchable" aria-busy={!entries && !error}>
      <h3>{words.download}</h3>
      <nav className="crumbs" aria-label={words.download}>
        {[null, ...folders].map((folder, depth) => (
          <button
            key={depth}
            type="button"
            className="button button-small"
            disabled={depth === folders.length}
            onClick={() => setFolders(folders.slice(0, depth))}
          >
            {folder ? folder.name : words.top}
          </button>
        ))}
      </nav>
      {error && <Problem error={error} retry={again} />}
      {entries?.length === 0 && <p className="quiet">{words.nothing}</p>}
      <ul className="entries" data-testid="entries">
        {(entries ?? []).map((entry) => (
          <li key={entry.href}>
            {entry.folder ? (
              <button
                type="button"
                className="entry"
                aria-label={words.folder(entry.name)}
                onClick={() => setFolders([...folders, entry])}
              >
                <Icon name="files" size={16} />
                {entry.name}
              </button>
            ) : (
              <a className="entry" href={here + entry.href} download={entry.name}>
                <Icon name="down" size={16} />
                {entry.name}
              </a>
            )}
            <span className="entry-size">{entry.size !== null && formatBytes(entry.size)}</span>
          </li>
        ))}
      </ul>
    </section>
  );
}

async function read(folder: string): Promise<Entry[]> {
  const answer = await fetch(folder, {
    cache: 'no-store',
    redirect: 'manual',
    headers: { Accept: 'text/html' },
  });
  if (!answer.ok) {
    throw new ApiError('gateway', answer.status, '', '');
  }
  return entriesOf(new DOMParser().parseFromString(await answer.text(), 'text/html'));
}
