import { useState } from 'react';

/** A sentence with the seconds that are left; a screen reader is told it once, not every second. */
export function Countdown({ left, say }: { left: number; say: (seconds: number) => string }) {
  const [toldLeft] = useState(left);
  return (
    <>
      <span className="visually-hidden" role="alert">
        {say(toldLeft)}
      </span>
      <span aria-hidden="true">{say(left)}</span>
    </>
  );
}
