import { useEffect } from 'react';

import { useSpeech } from '../i18n/Language';
import { FullPage } from './FullPage';
import { MineLink } from './MineLink';
import { showInWindow, unknownLook } from './windowTitle';

export function UnknownPage({ sessionId }: { sessionId: string }) {
  const { t } = useSpeech();
  useEffect(() => showInWindow(unknownLook(t)), [t]);
  return (
    <FullPage testId="unknown-page">
      <h1>{t.viewer.unknown}</h1>
      <p className="mono">{sessionId}</p>
      <p>{t.viewer.unknownHint}</p>
      <MineLink />
    </FullPage>
  );
}
