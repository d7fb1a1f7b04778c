import { useEffect, useId, useReducer, useState, type ReactNode } from 'react';

import { asApiError, type ApiError } from '../api/errors';
import { useSpeech } from '../i18n/Language';
import { Icon } from '../parts/Icon';
import { Problem } from '../parts/Problem';
import { formatBytes } from '../sessions/formatBytes';
import { usePortal } from '../sessions/Portal';
import {
  fitsThrough,
  nameOf,
  wayTo,
  type Entry,
  type Folders,
  type Place,
  type Sort,
} from './folders';
import { useListing } from './useListing';

interface Props {
  folders: Folders;
  places: readonly Place[];
  at: string;
  usual: string;
  /** Files may be taken out; else folders alone are shown, to choose where files go. */
  fetches: boolean;
  /** Rises when a file has arrived, which may be here. */
  came: number;
  onChoose: (at: string) => void;
  children: ReactNode;
}

const SORTS: readonly Sort[] = ['name', 'time', 'size'];

/** The folder that files go to and come from, the way to it, and what is in it. */
export function FolderView(props: Props) {
  const { folders, places, at, usual, fetches, came, onChoose, children } = props;
  const { t } = useSpeech();
  const words = t.transfers;
  const [sort, setSort] = useState<Sort>('name');
  const [hidden, setHidden] = useState(false);
  const [asked, again] = useReducer((times: number) => times + 1, 0);
  const { listing, error, more } = useListing(folders, at, sort, hidden, came + asked);
  const gone = error?.code === 'no_such_file' || error?.code === 'wrong_kind';
  useEffect(() => {
    if (gone && at !== usual) {
      onChoose(usual); // the one that was remembered is not there any more
    }
  }, [gone, at, usual, onChoose]);

  const entries = listing?.entries ?? [];
  return (
    <section className="fetchable" aria-busy={!listing && !error}>
      <nav className="crumbs" aria-label={words.way}>
        {places.length > 1 && (
          <select
            aria-label={words.place}
            value={places.find((one) => isIn(at, one))?.at}
            onChange={(event) => onChoose(event.currentTarget.value)}
          >
            {places.map((one) => (
              <option key={one.at} value={one.at}>
                {placeName(one.name, words.home)}
              </option>
            ))}
          </select>
        )}
        {wayTo(at).map((step, depth) => (
          <button
            key={step}
            type="button"
            className="button button-small"
            translate={depth === 0 ? undefined : 'no'}
            aria-current={step === at ? 'location' : undefined}
            disabled={step === at}
            onClick={() => onChoose(step)}
          >
            {depth === 0 ? placeName(nameOf(step), words.home) : nameOf(step)}
          </button>
        ))}
      </nav>
      {children}
      {error && !gone && <Problem error={error} retry={again} />}
      <div className="files-actions">
        <label>
          {words.sort}{' '}
          <select
            value={sort}
            data-testid="sort"
            onChange={(event) => setSort(event.currentTarget.value as Sort)}
          >
            {SORTS.map((one) => (
              <option key={one} value={one}>
                {words.sorts[one]}
              </option>
            ))}
          </select>
        </label>
        <label>
          <input
            type="checkbox"
            checked={hidden}
            onChange={(event) => setHidden(event.currentTarget.checked)}
          />{' '}
          {words.hidden}
        </label>
        {listing && <span className="quiet">{words.free(formatBytes(listing.free))}</span>}
      </div>
      {listing && entries.length === 0 && <p className="quiet">{words.nothing}</p>}
      <Entries key={at} {...{ folders, at, entries, fetches, onChoose }} />
      {listing && entries.length < listing.total && (
        <button type="button" className="button button-small" onClick={more}>
          {words.more(listing.total - entries.length)}
        </button>
      )}
      {listing?.cut && <p className="quiet">{words.cut}</p>}
    </section>
  );
}

interface EntriesProps {
  folders: Folders;
  at: string;
  entries: readonly Entry[];
  fetches: boolean;
  onChoose: (at: string) => void;
}

/** A folder is opened, a file is fetched; several are chosen first. */
export function Entries({ folders, at, entries, fetches, onChoose }: EntriesProps) {
  const { t } = useSpeech();
  const words = t.transfers;
  const most = usePortal().door.largestDownload;
  const why = useId();
  const [wanted, setWanted] = useState<ReadonlySet<string>>(new Set());
  const [error, setError] = useState<ApiError | null>(null);
  const get = async (parts: readonly string[]): Promise<void> => {
    setError(null);
    try {
      for (const part of parts) {
        follow(await folders.ticket(`${at}/${part}`));
      }
      setWanted(new Set());
    } catch (cause) {
      setError(asApiError(cause));
    }
  };
  const toggle = (part: string): void => {
    const next = new Set(wanted);
    if (!next.delete(part)) {
      next.add(part);
    }
    setWanted(next);
  };
  return (
    <>
      {most !== null && fetches && !entries.every((entry) => fitsThrough(entry, most)) && (
        <p className="quiet" id={why} data-testid="too-large">
          {words.tooLarge(formatBytes(most))}
        </p>
      )}
      <ul className="entries" data-testid="entries">
        {entries.map((entry) =>
          entry.kind === 'folder' ? (
            <li key={entry.at}>
              <button
                type="button"
                className="entry"
                translate="no"
                aria-label={words.folder(entry.name)}
                onClick={() => onChoose(`${at}/${entry.at}`)}
              >
                <Icon name="files" size={16} />
                {entry.name}
              </button>
            </li>
          ) : fetches && !fitsThrough(entry, most) ? (
            <li key={entry.at} data-testid="too-large-file">
              <button
                type="button"
                className="entry"
                translate="no"
                aria-disabled="true"
                aria-describedby={why}
              >
                <Icon name="cross" size={16} />
                {entry.name}
              </button>
              <span className="entry-size">{entry.size !== null && formatBytes(entry.size)}</span>
            </li>
          ) : (
            <li key={entry.at}>
              <input
                type="checkbox"
                translate="no"
                aria-label={words.choose(entry.name)}
                checked={wanted.has(entry.at)}
                onChange={() => toggle(entry.at)}
              />
              <button
                type="button"
                className="entry"
                translate="no"
                aria-label={words.get(entry.name)}
                disabled={!fetches}
                onClick={() => void get([entry.at])}
              >
                <Icon name="down" size={16} />
                {entry.name}
              </button>
              <span className="entry-size">{entry.size !== null && formatBytes(entry.size)}</span>
            </li>
          ),
        )}
      </ul>
      {wanted.size > 0 && (
        <button
          type="button"
          className="button"
          data-testid="fetch"
          onClick={() => void get([...wanted])}
        >
          <Icon name="down" size={16} />
          {words.getAll(wanted.size)}
        </button>
      )}
      {error && <Problem error={error} />}
    </>
  );
}

/** The browser fetches it by itself: it shows how far it is, goes on after a break, and asks where to. */
function follow(href: string): void {
  const link = document.createElement('a');
  link.href = href;
  link.download = '';
  document.body.append(link);
  link.click();
  link.remove();
}

const isIn = (at: string, place: Place): boolean => `${at}/`.startsWith(`${place.at}/`);

const placeName = (name: string, home: string): string => (name === '~' ? home : name);
