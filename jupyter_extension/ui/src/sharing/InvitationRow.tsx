import { useSpeech } from '../i18n/Language';
import type { Invitation, Role } from './sharing';

interface Props {
  invitation: Invitation;
  /** Whether control can be given here. */
  gives: boolean;
  onRole: (role: Role) => void;
  onEnd: () => void;
}

export function InvitationRow({ invitation, gives, onRole, onEnd }: Props) {
  const { t, language } = useSpeech();
  const words = t.sharing;
  const { name, guest, role, until, joined_at, here } = invitation;
  const called = guest || name || words.anybody;
  const state = here ? words.here : joined_at ? words.away : words.notYet;
  const end = new Date(until);
  const today = end.toDateString() === new Date().toDateString();
  const time = end.toLocaleString(language, {
    dateStyle: today ? undefined : 'short',
    timeStyle: 'short',
  });
  return (
    <li className="invitation" data-testid="invitation" data-here={here}>
      <span className="invitation-facts">
        <strong>{called}</strong>
        <span className="quiet">
          {[state, words.roles[role], t.session.ends(time)].join(' · ')}
        </span>
      </span>
      {gives && (
        <button
          type="button"
          className="button button-small"
          data-testid="change-role"
          aria-label={`${role === 'view' ? words.give : words.take}: ${called}`}
          onClick={() => onRole(role === 'view' ? 'control' : 'view')}
        >
          {role === 'view' ? words.give : words.take}
        </button>
      )}
      <button
        type="button"
        className="button button-small"
        data-testid="end-invitation"
        aria-label={`${words.end}: ${called}`}
        onClick={onEnd}
      >
        {words.end}
      </button>
    </li>
  );
}
