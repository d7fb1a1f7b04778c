/** The product's sign. */
export function Crescent({ size }: { size: number }) {
  return (
    <svg viewBox="0 0 40 40" width={size} height={size} aria-hidden="true">
      <path d="M24.5 5.5a15 15 0 1 0 10.6 22.1A12.6 12.6 0 0 1 24.5 5.5z" fill="currentColor" />
    </svg>
  );
}
