import { useRef, useState } from 'react';

import { asApiError, type ApiError } from '../api/errors';
import { useSpeech } from '../i18n/Language';
import { Icon } from '../parts/Icon';
import { Problem } from '../parts/Problem';
import { chosen } from './dropped';
import type { Transfers } from './useTransfers';

/** What can be done for the folder that is open: files and folders sent to it, and one made in it. */
export function SendButtons({ transfers, at }: { transfers: Transfers; at: string }) {
  const { t } = useSpeech();
  const words = t.transfers;
  const files = useRef<HTMLInputElement>(null);
  const folder = useRef<HTMLInputElement>(null);
  const [naming, setNaming] = useState(false);
  const send = (input: HTMLInputElement): void => {
    transfers.uploads.add(at, chosen([...(input.files ?? [])]));
    input.value = '';
  };
  return (
    <>
      <div className="files-actions">
        <button
          type="button"
          className="button"
          data-testid="upload"
          onClick={() => files.current?.click()}
        >
          <Icon name="up" size={16} />
          {words.send}
        </button>
        <button type="button" className="button" onClick={() => folder.current?.click()}>
          <Icon name="up" size={16} />
          {words.sendFolder}
        </button>
        <button
          type="button"
          className="button"
          data-testid="new-folder"
          aria-expanded={naming}
          onClick={() => setNaming(!naming)}
        >
          <Icon name="files" size={16} />
          {words.newFolder}
        </button>
        <input ref={files} type="file" multiple hidden onChange={(e) => send(e.currentTarget)} />
        <input
          ref={folder}
          type="file"
          multiple
          hidden
          {...{ webkitdirectory: '' }}
          onChange={(e) => send(e.currentTarget)}
        />
      </div>
      {naming && (
        <NewFolder
          transfers={transfers}
          at={at}
          onMade={(made) => {
            setNaming(false);
            transfers.choose(made);
          }}
        />
      )}
      <p className="quiet">{words.sendHint}</p>
    </>
  );
}

function NewFolder({
  transfers,
  at,
  onMade,
}: {
  transfers: Transfers;
  at: string;
  onMade: (at: string) => void;
}) {
  const { t } = useSpeech();
  const words = t.transfers;
  const [name, setName] = useState('');
  const [error, setError] = useState<ApiError | null>(null);
  const make = (): void => {
    setError(null);
    transfers.folders.make(at, name).then(onMade, (cause: unknown) => setError(asApiError(cause)));
  };
  return (
    <form
      className="files-actions"
      onSubmit={(event) => {
        event.preventDefault();
        make();
      }}
    >
      <input
        className="input"
        aria-label={words.folderName}
        placeholder={words.folderName}
        value={name}
        autoFocus
        onChange={(event) => setName(event.currentTarget.value)}
      />
      <button type="submit" className="button" disabled={!name.trim()}>
        {words.make}
      </button>
      {error && <Problem error={error} />}
    </form>
  );
}
