import { useEffect, useState } from 'react';

import type { Transfer } from '../host/files';
import { TransferList } from './TransferList';

const TOLD_FOR_MS = 5_000;

/** Says of files that were dragged onto the picture how far they are, and for a while how it went. */
export function TransferNotice({ transfers }: { transfers: readonly Transfer[] }) {
  const [told, setTold] = useState(0);
  const over = transfers.length > 0 && transfers.every(({ state }) => state !== 'going');
  useEffect(() => {
    if (over) {
      const timer = setTimeout(() => setTold(transfers.length), TOLD_FOR_MS);
      return () => clearTimeout(timer);
    }
  }, [over, transfers.length]);
  const shown = transfers.slice(0, transfers.length - told);
  return shown.length > 0 ? (
    <div className="banner" role="status">
      <TransferList transfers={shown} />
    </div>
  ) : null;
}
