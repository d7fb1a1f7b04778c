import { useState } from 'react';

import { useSpeech } from '../i18n/Language';
import { Icon } from '../parts/Icon';
import { durationParts, secondsUntil } from '../time/format';

/** Seconds before the end at which the user is told, once each. */
const WARN_AT = [600, 120];

export function EndWarning({ endsAt, now }: { endsAt: string | null; now: number }) {
  const [dismissed, setDismissed] = useState(Infinity);
  const left = endsAt === null ? Infinity : secondsUntil(endsAt, now);
  const level = WARN_AT.filter((seconds) => left < seconds).pop();
  if (level === undefined || level >= dismissed || left <= 0) {
    return null;
  }
  return <Warning key={level} left={left} onDismiss={() => setDismissed(level)} />;
}

function Warning({ left, onDismiss }: { left: number; onDismiss: () => void }) {
  const { t } = useSpeech();
  // A screen reader is told once, not every second.
  const [toldLeft] = useState(left);
  const sentence = (seconds: number): string => t.viewer.endsIn(t.duration(durationParts(seconds)));
  return (
    <div className="banner banner-warning">
      <Icon name="clock" />
      <span>
        <span className="visually-hidden" role="alert">
          {sentence(toldLeft)}
        </span>
        <span aria-hidden="true">{sentence(left)}</span>
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
