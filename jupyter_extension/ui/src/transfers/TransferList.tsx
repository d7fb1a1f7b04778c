import { useSpeech } from '../i18n/Language';
import { problemText } from '../i18n/wording';
import { Icon } from '../parts/Icon';
import { formatBytes } from '../sessions/formatBytes';
import { FileError } from './folders';
import type { Transfer, Uploads } from './uploads';

const MOST_SHOWN = 40;

/** The files on their way, each with how far it is and what can be done with it. */
export function TransferList({ list, uploads }: { list: readonly Transfer[]; uploads: Uploads }) {
  const { t } = useSpeech();
  const words = t.transfers;
  const shown = [...list].sort((a, b) => RANK[a.state] - RANK[b.state]).slice(0, MOST_SHOWN);
  return (
    <>
      <ul className="transfers" aria-label={words.onTheirWay} data-testid="transfers">
        {shown.map((one) => (
          <Row key={one.key} one={one} uploads={uploads} />
        ))}
      </ul>
      {list.length > shown.length && (
        <p className="quiet">{words.others(list.length - shown.length)}</p>
      )}
    </>
  );
}

/** What needs the user first, then what moves. */
const RANK = { failed: 0, retrying: 1, going: 2, paused: 3, waiting: 4, done: 5 };

function Row({ one, uploads }: { one: Transfer; uploads: Uploads }) {
  const { t } = useSpeech();
  const words = t.transfers;
  const { key, path, size, sent, state, error } = one;
  const percent = size > 0 ? Math.floor((100 * sent) / size) : 0;
  const moves = state === 'going' || state === 'waiting' || state === 'retrying';
  const { needed, free } = error instanceof FileError ? error.room : {};
  return (
    <li data-state={state}>
      <span className="transfer-name" translate="no">
        {path}
      </span>
      <span className="transfer-state">
        {words.states[state](percent)} · {formatBytes(size)}
      </span>
      {state !== 'done' && (
        <>
          <progress aria-label={path} max={100} value={percent} />
          <span className="transfer-buttons">
            {moves && (
              <button
                type="button"
                className="button button-small"
                aria-label={words.pauseOf(path)}
                onClick={() => uploads.pause(key)}
              >
                {words.pause}
              </button>
            )}
            {(state === 'paused' || state === 'failed') && (
              <button
                type="button"
                className="button button-small"
                aria-label={words.goOnOf(path)}
                onClick={() => uploads.goOn(key)}
              >
                <Icon name="again" size={14} />
                {words.goOn}
              </button>
            )}
            <button
              type="button"
              className="button button-small"
              aria-label={words.cancelOf(path)}
              onClick={() => uploads.cancel(key)}
            >
              {words.cancel}
            </button>
          </span>
        </>
      )}
      {error && (state === 'failed' || state === 'retrying') && (
        <span className="transfer-why">
          {state === 'retrying' && `${words.again} `}
          {problemText(t, error)}
          {needed !== undefined &&
            free !== undefined &&
            ` ${words.room(formatBytes(needed), formatBytes(free))}`}
        </span>
      )}
    </li>
  );
}
