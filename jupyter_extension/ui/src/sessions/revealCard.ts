export const cardId = (sessionId: string): string => `session-${sessionId}`;

/** Brings a session's card into view; on a phone it stands above the form it was launched from. */
export function revealCard(sessionId: string): void {
  requestAnimationFrame(() => {
    const calm = matchMedia('(prefers-reduced-motion: reduce)').matches;
    document
      .getElementById(cardId(sessionId))
      ?.scrollIntoView({ block: 'nearest', behavior: calm ? 'auto' : 'smooth' });
  });
}
