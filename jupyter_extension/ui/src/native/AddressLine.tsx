import { useRef, useState } from 'react';

import type { Native } from '../api/types';
import { useSpeech } from '../i18n/Language';
import { copyText } from '../parts/copyText';
import { Icon } from '../parts/Icon';
import { addressOf } from './pairing';

export function AddressLine({ native }: { native: Native }) {
  const { t } = useSpeech();
  const address = addressOf(native);
  const [copied, setCopied] = useState<{ text: string; worked: boolean } | null>(null);
  const text = useRef<HTMLElement>(null);
  const last = copied?.text === address ? copied : null;
  const copy = async (): Promise<void> =>
    setCopied({ text: address, worked: await copyText(address, text.current!) });

  return (
    <>
      <div className="native-line">
        <code className="native-address" data-testid="native-address" ref={text}>
          {address}
        </code>
        <button
          type="button"
          className="button button-small"
          aria-label={last?.worked ? undefined : t.native.copy}
          onClick={() => void copy()}
        >
          <Icon name={last?.worked ? 'check' : 'copy'} size={16} />
          {last?.worked ? t.logDialog.copied : t.logDialog.copy}
        </button>
      </div>
      <p className={last?.worked ? 'visually-hidden' : 'quiet'} role="status">
        {last && (last.worked ? t.logDialog.copied : t.logDialog.copyFailed)}
      </p>
    </>
  );
}
