import { useCallback, useEffect, useRef, useState } from 'react';

import type { Log, Session } from '../api/types';
import { useSpeech } from '../i18n/Language';
import { copyText } from '../parts/copyText';
import { Dialog } from '../parts/Dialog';
import { Problem } from '../parts/Problem';
import { useTask } from '../parts/useTask';
import { formatBytes } from './formatBytes';
import { usePortal } from './Portal';
import { calledOf } from './called';

export function LogDialog({ session, onClose }: { session: Session; onClose: () => void }) {
  const { t } = useSpeech();
  const { client } = usePortal();
  const { run, busy, error } = useTask();
  const [logs, setLogs] = useState<Log[] | null>(null);
  const [name, setName] = useState('');
  const [copied, setCopied] = useState<boolean | null>(null);
  const text = useRef<HTMLPreElement>(null);

  const refresh = useCallback(
    () => run(async () => setLogs(await client.logs(session.session_id))),
    [client, run, session.session_id],
  );
  useEffect(refresh, [refresh]);

  const log = logs?.find((candidate) => candidate.name === name) ?? logs?.[0] ?? null;
  useEffect(() => {
    setCopied(null);
    // The end is where the news are.
    text.current?.scrollTo({ top: text.current.scrollHeight });
  }, [log]);

  return (
    <Dialog title={t.logDialog.title(calledOf(session))} wide lightDismiss onClose={onClose}>
      <div className="log-tools">
        {logs && logs.length > 0 && (
          <label>
            <span className="visually-hidden">{t.logDialog.which}</span>
            <select value={log?.name} onChange={(event) => setName(event.target.value)}>
              {logs.map((each) => (
                <option key={each.name} value={each.name}>
                  {each.name} ({formatBytes(each.size)})
                </option>
              ))}
            </select>
          </label>
        )}
        <button type="button" className="button button-small" disabled={busy} onClick={refresh}>
          {t.logDialog.refresh}
        </button>
        {log && log.text && (
          <button
            type="button"
            className="button button-small"
            onClick={() =>
              void copyText(log.text, text.current!).then((worked) => setCopied(worked))
            }
          >
            {copied ? t.logDialog.copied : t.logDialog.copy}
          </button>
        )}
      </div>
      <p className="quiet" role="status">
        {copied === false && t.logDialog.copyFailed}
        {!logs && busy && t.loading}
        {logs?.length === 0 && t.logDialog.none}
        {log && !log.text && t.logDialog.empty}
        {log?.truncated && t.logDialog.truncated(formatBytes(log.size))}
      </p>
      {error && <Problem error={error} retry={refresh} />}
      {log?.text && (
        <pre className="log" ref={text} tabIndex={0} aria-label={log.name}>
          {log.text}
        </pre>
      )}
    </Dialog>
  );
}
