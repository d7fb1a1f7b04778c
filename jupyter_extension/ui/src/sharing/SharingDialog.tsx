import { useCallback, useEffect, useId, useRef, useState, type FormEvent } from 'react';

import type { Session } from '../api/types';
import { useSpeech } from '../i18n/Language';
import { copyText } from '../parts/copyText';
import { Dialog } from '../parts/Dialog';
import { Icon } from '../parts/Icon';
import { Problem } from '../parts/Problem';
import { useTask } from '../parts/useTask';
import { usePortal } from '../sessions/Portal';
import { InvitationRow } from './InvitationRow';
import { handedOver, TIMES, type Role, type Sharing } from './sharing';

const LOOK_EVERY_MS = 2_000;

/** Who is invited to the desktop and who is there; a link for one more. */
export function SharingDialog({ session, onClose }: { session: Session; onClose: () => void }) {
  const { t } = useSpeech();
  const { client, settings } = usePortal();
  const { run, busy, error } = useTask();
  const [sharing, setSharing] = useState<Sharing | null>(null);
  const [name, setName] = useState('');
  const [role, setRole] = useState<Role>('view');
  const [minutes, setMinutes] = useState<number>(TIMES[1]);
  const [link, setLink] = useState('');
  const [isLink, setIsLink] = useState(true);
  const [forWhom, setFor] = useState('');
  const [said, setSaid] = useState('');
  const area = useRef<HTMLTextAreaElement>(null);
  const first = useRef<HTMLInputElement>(null);
  const id = useId();
  const words = t.sharing;
  const session_id = session.session_id;

  const look = useCallback(
    async () => setSharing(await client.sharing(session_id)),
    [client, session_id],
  );
  useEffect(() => {
    run(look);
    const timer = setInterval(() => void look().catch(() => undefined), LOOK_EVERY_MS);
    return () => clearInterval(timer);
  }, [run, look]);
  useEffect(() => first.current?.focus(), []);
  useEffect(() => area.current?.select(), [link]);

  const change = (work: () => Promise<unknown>): void =>
    run(async () => {
      await work();
      await look();
    });
  const invite = (event: FormEvent): void => {
    event.preventDefault();
    change(async () => {
      const named = settings.members ? { user: name.trim() || null } : {};
      const made = await client.invite(session_id, { name, role, minutes, ...named });
      const given = handedOver(document.baseURI, settings.joinUrl, made);
      setLink(given.text);
      setIsLink(given.isLink);
      setFor(settings.members ? name.trim() : '');
      setSaid('');
      setName('');
    });
  };
  const copy = async (): Promise<void> => {
    setSaid('');
    const worked = await copyText(link, area.current!);
    setSaid(worked ? t.logDialog.copied : t.logDialog.copyFailed);
  };

  const invitations = sharing?.invitations ?? [];
  return (
    <Dialog title={words.title} onClose={onClose}>
      <p className="quiet">{words.hint}</p>
      {invitations.length > 0 && (
        <>
          <ul className="invitations" aria-label={words.invitations}>
            {invitations.map((one) => (
              <InvitationRow
                key={one.id}
                invitation={one}
                gives={sharing?.most === 'control'}
                onRole={(given) => change(() => client.changeInvitation(session_id, one.id, given))}
                onEnd={() => change(() => client.endInvitation(session_id, one.id))}
              />
            ))}
          </ul>
          {invitations.length > 1 && (
            <button
              type="button"
              className="button button-small button-danger"
              data-testid="end-sharing"
              onClick={() => change(() => client.endInvitation(session_id, null))}
            >
              {words.endAll}
            </button>
          )}
        </>
      )}
      <form className="invite" onSubmit={invite}>
        <div className="field">
          <label htmlFor={`${id}-name`}>{settings.members ? words.user : words.name}</label>
          <input
            ref={first}
            id={`${id}-name`}
            type="text"
            maxLength={60}
            autoComplete="off"
            autoCapitalize="none"
            spellCheck={false}
            placeholder={settings.members ? words.anyUser : words.anybody}
            value={name}
            onChange={(event) => setName(event.target.value)}
          />
        </div>
        {sharing?.most === 'control' && (
          <div className="field">
            <label htmlFor={`${id}-role`}>{words.may}</label>
            <select
              id={`${id}-role`}
              data-testid="invite-role"
              value={role}
              onChange={(event) => setRole(event.target.value as Role)}
            >
              <option value="view">{words.roles.view}</option>
              <option value="control">{words.roles.control}</option>
            </select>
          </div>
        )}
        <div className="field">
          <label htmlFor={`${id}-time`}>{words.time}</label>
          <select
            id={`${id}-time`}
            value={minutes}
            onChange={(event) => setMinutes(Number(event.target.value))}
          >
            {TIMES.map((one, at) => (
              <option key={one} value={one}>
                {at === TIMES.length - 1 ? words.always : words.minutes(one)}
              </option>
            ))}
          </select>
        </div>
        <div className="dialog-actions">
          <button
            type="submit"
            className="button button-primary"
            data-testid="invite"
            aria-disabled={busy || !sharing}
          >
            {settings.only === null && settings.joinUrl === null ? words.makeText : words.make}
          </button>
        </div>
      </form>
      {link && (
        <div className="field">
          <label htmlFor={`${id}-link`}>{isLink ? words.link : words.text}</label>
          <textarea
            ref={area}
            id={`${id}-link`}
            className="clipboard-text"
            data-testid="invite-link"
            rows={3}
            readOnly
            value={link}
            aria-describedby={`${id}-once`}
          />
          <p className="quiet" id={`${id}-once`}>
            {forWhom ? words.onceFor(forWhom) : isLink ? words.once : words.onceText}
          </p>
          <button type="button" className="button button-small" onClick={() => void copy()}>
            <Icon name="copy" size={16} />
            {t.logDialog.copy}
          </button>
        </div>
      )}
      <p className="quiet" role="status">
        {said}
      </p>
      {error && <Problem error={error} />}
    </Dialog>
  );
}
