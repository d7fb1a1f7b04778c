import { useState } from 'react';

import { useSpeech } from '../i18n/Language';
import { Icon } from '../parts/Icon';
import { Countdown } from '../time/Countdown';
import { durationParts, secondsUntil } from '../time/format';
import { dueWarning } from '../time/warning';

interface Props {
  endsAt: string | null;
  startedAt: string | null;
  now: number;
}

export function EndWarning({ endsAt, startedAt, now }: Props) {
  const [dismissed, setDismissed] = useState(Infinity);
  const level = dueWarning(endsAt, startedAt, now);
  if (endsAt === null || level === undefined || level >= dismissed) {
    return null;
  }
  return (
    <Warning key={level} left={secondsUntil(endsAt, now)} onDismiss={() => setDismissed(level)} />
  );
}

function Warning({ left, onDismiss }: { left: number; onDismiss: () => void }) {
  const { t } = useSpeech();
  const sentence = (seconds: number): string => t.viewer.endsIn(t.duration(durationParts(seconds)));
  return (
    <div className="banner banner-warning">
      <Icon name="clock" />
      <span>
        <Countdown left={left} say={sentence} />
      </span>
      <button
        type="button"
        className="icon-button"
        aria-label={t.viewer.dismiss}
        onClick={onDismiss}
      >
        <Icon name="close" size={17} />
      </button>
    </div>
  );
}
