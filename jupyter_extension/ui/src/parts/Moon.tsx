import type { Session } from '../api/types';
import { litPath, moonFraction } from './moonPhase';

export function Moon({ session, size = 40 }: { session: Session; size?: number }) {
  return (
    <svg
      className={`moon moon-${session.status}`}
      viewBox="0 0 40 40"
      width={size}
      height={size}
      aria-hidden="true"
    >
      <circle className="moon-dark" cx="20" cy="20" r="17" />
      <path className="moon-lit" d={litPath(moonFraction(session), 20, 17)} />
    </svg>
  );
}
