import { useSpeech } from '../../i18n/Language';
import { formatBytes } from '../../sessions/formatBytes';
import type { Transfer } from '../host/files';

/** The files on their way, each with how far it is. */
export function TransferList({ transfers }: { transfers: readonly Transfer[] }) {
  const { t } = useSpeech();
  const words = t.tools;
  return (
    <ul className="transfers" aria-label={words.uploads} data-testid="transfers">
      {transfers.map(({ name, size, percent, state }, i) => (
        <li key={transfers.length - i} data-state={state}>
          <span className="transfer-name">{name}</span>
          <span className="transfer-state">
            {state === 'going' ? words.transfer.going(percent) : words.transfer[state]}
            {size !== null && ` · ${formatBytes(size)}`}
          </span>
          {state === 'going' && <progress aria-label={name} max={100} value={percent} />}
        </li>
      ))}
    </ul>
  );
}
