import { useEffect, useState } from 'react';

import { useSpeech } from '../i18n/Language';
import { Problem } from '../parts/Problem';
import { TransferList } from './TransferList';
import type { Transfer } from './uploads';
import type { Transfers } from './useTransfers';

const TOLD_FOR_MS = 5_000;

/** Says over the picture of the files that were sent how far they are, and for a while how it went. */
export function TransferNotice({ transfers }: { transfers: Transfers }) {
  const { t } = useSpeech();
  const { list, uploads, error } = transfers;
  const [told, setTold] = useState(0);
  const over = list.length > 0 && list.every(({ state }) => state === 'done');
  const newest = list[0]?.key ?? 0;
  useEffect(() => {
    if (over) {
      const timer = setTimeout(() => setTold(newest), TOLD_FOR_MS);
      return () => clearTimeout(timer);
    }
  }, [over, newest]);
  const shown = list.filter(({ key, state }) => key > told || state !== 'done');
  return (
    <>
      <p className="visually-hidden" role="status">
        {saidOf(shown, t.transfers.summary)}
      </p>
      {error && (
        <div className="banner">
          <Problem error={error} />
        </div>
      )}
      {shown.length > 0 && (
        <div className="banner">
          <TransferList list={shown} uploads={uploads} />
        </div>
      )}
    </>
  );
}

/** What a screen reader says: not each per cent, but each file. */
function saidOf(
  list: readonly Transfer[],
  summary: (done: number, all: number, failed: number) => string,
): string {
  const count = (wanted: string): number => list.filter(({ state }) => state === wanted).length;
  return list.length > 0 ? summary(count('done'), list.length, count('failed')) : '';
}
