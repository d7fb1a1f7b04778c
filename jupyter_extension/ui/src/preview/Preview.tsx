import { useEffect, useState } from 'react';

import type { Session } from '../api/types';
import { useSpeech } from '../i18n/Language';
import { Icon } from '../parts/Icon';
import { Problem } from '../parts/Problem';
import { useTask } from '../parts/useTask';
import { calledOf } from '../sessions/called';
import { usePortal } from '../sessions/Portal';
import { Which } from '../sessions/Which';
import { stateOf } from './picture';
import { usePicture } from './usePicture';

/** What a running desktop shows, on its card; its place is there before the picture is. */
export function Preview({ session }: { session: Session }) {
  const { t } = useSpeech();
  const { client } = usePortal();
  const { run, busy, error } = useTask();
  const said = stateOf(session);
  const [chosen, setChosen] = useState(said);
  useEffect(() => setChosen(said), [said]);
  const shown = said !== 'off' && chosen === 'shown';
  const url = usePicture(session.session_id, shown);
  if (said === 'off') {
    return null;
  }
  const choose = (): void =>
    run(async () => {
      await client.showPicture(session.session_id, !shown);
      setChosen(shown ? 'hidden' : 'shown');
    });
  return (
    <div className="preview" data-testid="preview" data-preview={shown ? 'shown' : 'hidden'}>
      {shown && url ? (
        <img className="preview-screen" src={url} alt={t.preview.alt(calledOf(session))} />
      ) : (
        <p className="preview-screen preview-blank">
          <Icon name={shown ? 'desktop' : 'hidden'} size={28} />
          {shown ? t.preview.coming : t.preview.hidden}
        </p>
      )}
      <button
        type="button"
        className="preview-switch"
        data-testid="preview-switch"
        disabled={busy}
        onClick={choose}
      >
        {shown ? t.preview.hide : t.preview.show}
        <Which session={session} />
      </button>
      {error && <Problem error={error} retry={choose} />}
    </div>
  );
}
